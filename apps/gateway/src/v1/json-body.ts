/**
 * Bodies, read so that what is wrong with them is said exactly: bytes that are no UTF-8 are refused and not replaced, and
 * a key such as `__proto__` is a problem with a path, which the schema's own look at the value reports.
 */
import { OutboxError } from '@wechat-outbox/outbox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { shapeProblem } from '../json-shape.ts'
import { inTurn } from '../turns.ts'

/** Read at once: it takes some microseconds. */
const SMALL_BYTES_MAX = 4096

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function addBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => {
      // Clients that always name a type send it with no body, too.
      if (body.length === 0) return undefined
      const isSmall = body.length <= SMALL_BYTES_MAX
      const shape = isSmall ? shapeProblem(body) : await inTurn(() => shapeProblem(body))
      if (shape !== null) throw refused(shape)
      return isSmall ? parseJson(body) : inTurn(() => parseJson(body))
    },
  )
  // Of a picture's type only where a picture is asked for (`same-site.ts`).
  app.addContentTypeParser(/^(?:image\/|application\/octet-stream)/i, { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
}

/** @throws OutboxError WXO_INVALID */
function parseJson(bytes: Buffer): unknown {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw refused('is not UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    // The rest of the message repeats a part of the body.
    const [at] = /at position \d+/.exec(String(error)) ?? []
    throw refused(at === undefined ? 'is not JSON' : `is not JSON, ${at}`)
  }
}

function refused(message: string): OutboxError {
  return new OutboxError('WXO_INVALID', `the body ${message}`, { issues: [{ path: '', message }] })
}
