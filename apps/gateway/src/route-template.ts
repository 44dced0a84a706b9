/** What a request is called in logs and metrics: the template of its route, never its path, which holds ids and what callers make up. */
import type { FastifyRequest } from 'fastify'

const UNMATCHED = 'unmatched'

/** One for each route, so there are not many. */
const written = new Map<string, string>()

/** `/v1/apps/:appid/dead-letters/:id:replay`; `unmatched` for everything that has no route. */
export function routeTemplate({ routeOptions: { url } }: FastifyRequest): string {
  if (url === undefined) return UNMATCHED
  const known = written.get(url) ?? withoutSyntax(url)
  written.set(url, known)
  return known
}

/** The router wants to be told where a parameter ends, and a colon that is none doubled. */
function withoutSyntax(url: string): string {
  return url.replaceAll(/\([^)]*\)/g, '').replaceAll('::', ':')
}
