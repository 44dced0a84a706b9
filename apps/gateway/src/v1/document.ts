/** The OpenAPI document, made of the operations and their schemas. */
import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Operation } from './operation.ts'
import { operations } from './operations.ts'

export type OpenApiDocument = ReturnType<typeof createDocument>

export function openApiDocument(): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {}
  for (const [operationId, { method, path, document }] of Object.entries<Operation>(operations)) {
    const tags = [tagOf(path)]
    paths[path] = { ...paths[path], [method.toLowerCase()]: { operationId, tags, ...document } }
  }
  const made = createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'wechat-outbox',
        version: '1',
        description:
          'A durable outbound queue for WeChat Mini Program customer-service messages. Errors are RFC 9457 problem details.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      security: [{ apiKey: [] }],
      tags: [{ name: 'Messages' }, { name: 'Dead letters' }, { name: 'Apps' }],
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'A key that `wxo key new` made. A gateway without keys, on loopback, asks for none.',
          },
        },
      },
      paths,
    },
    {
      override({ jsonSchema, zodSchema }) {
        // The pattern behind a date is longer than the rest of its schema and says no more than the format.
        if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
        // "Any JSON" spelled out refers to itself, which the clients that are generated from it cannot follow.
        if (zodSchema._zod.def.type === 'record') jsonSchema.additionalProperties = {}
      },
    },
  )
  const { __schema0: _anyJson, ...schemas } = made.components?.schemas ?? {}
  return { ...made, components: { ...made.components, schemas } }
}

function tagOf(path: string): string {
  if (path.includes('/messages')) return 'Messages'
  return path.includes('/dead-letters') || path.includes('/tasks') ? 'Dead letters' : 'Apps'
}
