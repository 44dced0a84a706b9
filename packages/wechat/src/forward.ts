/**
 * Pushes of WeChat's that are handed on, byte for byte, to the service that received them before: what signs them is in the query and the
 * body, so it still holds there. The URL is the operator's own, so it may lead to a private address. Redirects are not followed.
 */
import { createDispatcher, type ProxySettings } from './dispatcher.ts'
import { requestFault } from './faults.ts'
import { readBytes } from './read-bytes.ts'

export interface ForwarderOptions {
  /** Calls under way at once for one origin. */
  readonly connections: number
  readonly answerBytesMax: number
  /** No call may take longer. */
  readonly timeoutMs: number
  readonly proxy?: ProxySettings | undefined
}

export interface ForwardedCall {
  /** http or https; its own query comes first. */
  readonly url: string
  /** Without the question mark. */
  readonly query: string
  readonly contentType: string | undefined
  readonly body: Buffer
  /** The whole call. */
  readonly timeoutMs: number
}

export type Forwarded =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** Those that tell how to read the body. */
      readonly headers: Readonly<Record<string, string>>
      readonly body: Buffer
    }
  /** Nothing usable came back. The detail holds no part of the URL. */
  | { readonly kind: 'broken'; readonly isLate: boolean; readonly detail: string }

export interface Forwarder {
  /** Never rejects. */
  forward(call: ForwardedCall): Promise<Forwarded>
  /** Ends what is under way. */
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 2000
const KEPT_HEADERS = ['content-type', 'content-encoding']

export function createForwarder({ connections, answerBytesMax, timeoutMs, proxy }: ForwarderOptions): Forwarder {
  const connectTimeoutMs = Math.min(timeoutMs, CONNECT_TIMEOUT_MS)
  const agent = createDispatcher({ connections, timeoutMs, connectTimeoutMs, proxy })

  async function exchange(call: ForwardedCall, signal: AbortSignal): Promise<Forwarded> {
    const { origin, pathname, search } = new URL(call.url)
    const query = [search.slice(1), call.query].filter((part) => part !== '').join('&')
    const answer = await agent.request({
      origin,
      method: 'POST',
      path: query === '' ? pathname : `${pathname}?${query}`,
      headers: call.contentType === undefined ? {} : { 'content-type': call.contentType },
      body: call.body,
      signal,
    })
    const body = await readBytes(answer.body, answerBytesMax)
    if (body === null) return { kind: 'broken', isLate: false, detail: `answer larger than ${answerBytesMax} bytes` }
    const headers = KEPT_HEADERS.flatMap((name) => {
      const value = answer.headers[name]
      return typeof value === 'string' ? [[name, value] as const] : []
    })
    return { kind: 'answered', status: answer.statusCode, headers: Object.fromEntries(headers), body }
  }

  return {
    async forward(call) {
      const late = AbortSignal.timeout(Math.max(0, Math.floor(Math.min(call.timeoutMs, timeoutMs))))
      try {
        return await exchange(call, late)
      } catch (error) {
        // Whichever timer came first: this one, or one of the pool's.
        const detail = late.aborted ? 'timeout' : requestFault(error)
        return { kind: 'broken', isLate: detail.startsWith('timeout'), detail }
      }
    },
    close: () => agent.destroy(),
  }
}
