/** Bodies of whatever type a client names, or of none: their bytes, as they came. What they have to be is found out by reading them. */
import type { FastifyInstance } from 'fastify'

/** `keeps`: a route that goes by the type itself. */
export function takeAnyBody(scope: FastifyInstance, { keeps }: { readonly keeps?: string } = {}): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.url !== keeps) delete request.raw.headers['content-type']
    done()
  })
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}
