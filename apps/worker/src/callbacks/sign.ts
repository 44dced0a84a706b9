/**
 * The signature of a call, as Standard Webhooks wants it: whoever has the key can tell that the call is ours, that nothing of it was changed, and
 * when it was made.
 */
import { createHmac } from 'node:crypto'

export interface Signing {
  /** The same on every try: by it a receiver recognises what it has been told before. */
  readonly id: string
  /** When this call is made, in epoch ms. */
  readonly nowMs: number
  readonly body: string
}

/** The headers that go with the body. */
export function signatureOf(key: Buffer, { id: given, nowMs, body }: Signing): Record<string, string> {
  const id = headerOf(given)
  const timestamp = String(Math.floor(nowMs / 1000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

/** Jobs that were added by other means have ids of any text, and a header carries visible ASCII unchanged. What is none is percent-encoded. */
const headerOf = (id: string): string => id.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent)
