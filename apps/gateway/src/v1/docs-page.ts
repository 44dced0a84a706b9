/**
 * `/openapi.json`, and the same for people at `/docs`: Swagger UI from this server alone, under the gateway's own content
 * security policy. Neither holds anything that is not in the repository, so neither asks for a key.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { serveFromMemory } from '../static-files.ts'
import type { OpenApiDocument } from './document.ts'

const STATIC_DIR = join(dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui'))), 'static')

/** The bar at the top asks for the address of some other document. */
const style = '.swagger-ui .topbar { display: none }'

export async function addDocsPage(app: FastifyInstance, document: OpenApiDocument): Promise<void> {
  const text = JSON.stringify(document)
  app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(text))
  await app.register(async (scope) => {
    serveFromMemory(scope, '/docs/static/*', STATIC_DIR)
    await scope.register(swagger, { mode: 'static', specification: { document: document as never } })
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { docExpansion: 'list', defaultModelsExpandDepth: 0, displayRequestDuration: true },
      theme: { title: 'wechat-outbox', css: [{ filename: 'outbox.css', content: style }] },
    })
  })
}
