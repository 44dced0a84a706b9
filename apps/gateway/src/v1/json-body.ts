/**
 * Bodies, read so that what is wrong with them is said exactly: bytes that are no UTF-8 are refused and not replaced, and
 * a key such as `__proto__` is a problem with a path, which the schema's own look at the value reports.
 */
import { OutboxError } from '@wechat-outbox/outbox'
import type { FastifyInstance } from 'fastify'
import { shapeProblem } from '../json-shape.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function addJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const read = readJson(body as Buffer)
    if (read instanceof OutboxError) done(read)
    else done(null, read.value)
  })
}

function readJson(bytes: Buffer): { value: unknown } | OutboxError {
  // Clients that always name a type send it with no body, too.
  if (bytes.length === 0) return { value: undefined }
  const shape = shapeProblem(bytes)
  if (shape !== null) return refused(shape)
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return refused('is not UTF-8')
  }
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    // The rest of the message repeats a part of the body.
    const [at] = /at position \d+/.exec(String(error)) ?? []
    return refused(at === undefined ? 'is not JSON' : `is not JSON, ${at}`)
  }
}

function refused(message: string): OutboxError {
  return new OutboxError('WXO_INVALID', `the body ${message}`, { issues: [{ path: '', message }] })
}
