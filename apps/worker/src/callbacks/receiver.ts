/**
 * The calls to one app's receiver: signed, bounded in time and size, over connections of their own, so that a receiver that hangs holds up
 * no message.
 */
import { createHmac } from 'node:crypto'
import { CALLBACK_TYPES, type CallbackBody } from '@wechat-outbox/messages'
import { CALLBACKS_AT_ONCE, type Called, type Receiver, type TakenEvent } from '@wechat-outbox/outbox/engine'
import { type CallbackConfig, callbackKey, createPublicClient, type ProxySettings } from '@wechat-outbox/wechat'
import { judgeAnswer } from './judge.ts'
import { signatureOf } from './sign.ts'

export interface ReceiverOptions {
  readonly callback: CallbackConfig
  /** Names and addresses that may be private. */
  readonly allowedHosts: readonly string[]
  readonly proxy: ProxySettings
  /** Epoch ms, by a clock that is right. */
  readonly now: () => number
  readonly report: Receiver['report']
}

export interface OpenReceiver extends Receiver {
  /** Ends what is under way. */
  close(): Promise<void>
}

const CALL_MS_MAX = 10_000
/** Of an answer's body, which nobody reads. */
const ANSWER_BYTES_MAX = 16_384
const PRINT_CHARS = 16

export function createReceiver({ callback, allowedHosts, proxy, now, report }: ReceiverOptions): OpenReceiver {
  const { url, secret, events = CALLBACK_TYPES } = callback
  const key = callbackKey(secret)
  const client = createPublicClient({ allowedHosts, connections: CALLBACKS_AT_ONCE, proxy })

  async function call(event: TakenEvent, signal: AbortSignal): Promise<Called> {
    const body = bodyOf(event)
    if (body === undefined) return { kind: 'unreadable', why: 'the event cannot be read' }
    const nowMs = now()
    const answer = await client.request({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signatureOf(key, { id: event.id, nowMs, body }) },
      body,
      timeoutMs: CALL_MS_MAX,
      bytesMax: ANSWER_BYTES_MAX,
      ignoresBody: true,
      redirectsMax: 0,
      signal,
    })
    return judgeAnswer(answer, nowMs)
  }

  return {
    tells: new Set(events),
    print: createHmac('sha256', key).update(url).digest('base64url').slice(0, PRINT_CHARS),
    call,
    report,
    close: () => client.close(),
  }
}

/** The same on every try. Undefined where another program has put something into the queue. */
function bodyOf({ type, at, data }: TakenEvent): string | undefined {
  try {
    const body: CallbackBody = {
      type,
      timestamp: new Date(at).toISOString(),
      data: JSON.parse(data) as CallbackBody['data'],
    }
    return JSON.stringify(body)
  } catch {
    return undefined
  }
}
