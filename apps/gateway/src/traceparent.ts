/** The trace that a request belongs to. A header that is none is passed over, as the standard wants it. https://www.w3.org/TR/trace-context/ */
import { traceparentSchema } from '@wechat-outbox/messages'
import type { FastifyRequest } from 'fastify'

export function traceparentOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const { traceparent } = headers
  const isTrace = traceparentSchema.safeParse(traceparent).success
  return isTrace && !/^ff|-0{32}-|-0{16}-/.test(String(traceparent)) ? String(traceparent) : undefined
}
