/** `/`: leads to what the gateway has for people. It shows nothing that is not in the repository, so it asks for no sign-in. */
import type { FastifyInstance } from 'fastify'
import { addAssets } from './assets.ts'
import { chooseLanguage, LANGUAGES } from './language.ts'
import { renderRoot } from './layout.ts'

export function addRootPage(app: FastifyInstance): void {
  addAssets(app)
  app.get('/', (request, reply) => {
    const { lang } = request.query as { readonly lang?: unknown }
    const chosen = LANGUAGES.find((language) => language === lang)
    const language = chooseLanguage(chosen, request.headers['accept-language'])
    reply.header('vary', 'accept-language').header('cache-control', 'no-cache')
    return reply.type('text/html; charset=utf-8').send(renderRoot(language, chosen).toString())
  })
}
