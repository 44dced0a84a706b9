/**
 * Bodies. Clients send their JSON as `application/json`, as text, as a form or without saying what it is, so the type is not
 * looked at; the bytes have to be UTF-8, as WeChat demands, and a JSON object.
 */
import { shapeProblem } from '../json-shape.ts'
import type { Refusal } from './answers.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

export type JsonObject = Readonly<Record<string, unknown>>

export type ReadBody =
  | { readonly kind: 'body'; readonly body: JsonObject }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const refused = (errcode: 44_002 | 47_001, detail?: string): ReadBody => ({
  kind: 'refused',
  refusal: { errcode, detail },
})

/** What the parser kept of a request: its bytes, or nothing when there were none. */
export function readJsonBody(bytes: unknown): ReadBody {
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) return refused(44_002)
  const shape = shapeProblem(bytes)
  if (shape !== null) return refused(47_001, `the body ${shape}`)
  let body: unknown
  try {
    body = JSON.parse(utf8.decode(bytes))
  } catch (error) {
    return refused(47_001, error instanceof SyntaxError ? 'the body is not JSON' : 'the body is not UTF-8')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return refused(47_001, 'the body must be a JSON object')
  }
  return { kind: 'body', body: body as JsonObject }
}
