/**
 * Tells whether two requests with one idempotency key ask for the same thing. The order of keys does not matter, nor
 * does what only accompanies the request: the key itself and the trace it came in.
 */
import { createHash } from 'node:crypto'
import stringify from 'safe-stable-stringify'
import type { CheckedRequest } from './send-request.ts'

/** 128 bits of SHA-256 in base64url: 22 characters. */
export function fingerprint(request: CheckedRequest): string {
  const { idempotencyKey: _key, traceparent: _trace, ...asked } = request
  return createHash('sha256').update(stringify(asked)).digest('base64url').slice(0, 22)
}
