/**
 * Exchanges with one origin over a bounded number of kept connections. A call always comes to an end: one timer spans
 * waiting, connecting, writing and reading, and the pool's own timers stand behind it.
 *
 * Only HTTP/1.1, one request at a time on a connection: then what becomes of a request depends on nothing but itself.
 */
import { Call, type Exchanged } from './call.ts'
import { createDispatcher, type ProxySettings } from './dispatcher.ts'
import type { Interruption } from './faults.ts'
import { createGate } from './gate.ts'

export interface HttpOptions {
  readonly origin: string
  readonly connections: number
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  readonly answerBytesMax: number
  readonly proxy?: ProxySettings | undefined
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  /** Path and query. */
  readonly path: string
  /** JSON, already serialised; bytes with a content type of their own. */
  readonly body?: string | Buffer
  /** In place of the content type that goes with a body. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** A shorter limit than the client's, for this call alone. */
  readonly timeoutMs?: number | undefined
}

export interface Http {
  /** Never rejects. */
  exchange(request: HttpRequest): Promise<Exchanged>
  /** Refuses new calls at once, lets open ones end for `graceMs`, then ends what is left. */
  close(graceMs: number): Promise<void>
}

const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8' }

export function createHttp(options: HttpOptions): Http {
  const { origin } = options
  const pool = createDispatcher(options)
  const gate = createGate(options.connections)
  const open = new Set<Interrupt>()
  let closing: Promise<void> | undefined
  let isClosed = false
  let onIdle: (() => void) | undefined

  const exchange = (request: HttpRequest) =>
    new Promise<Exchanged>((resolve) => {
      const settled = (exchanged: Exchanged) => {
        clearTimeout(timer)
        request.signal?.removeEventListener('abort', abort)
        open.delete(interrupt)
        resolve(exchanged)
        if (open.size === 0) onIdle?.()
      }
      const timeoutMs = Math.min(request.timeoutMs ?? options.timeoutMs, options.timeoutMs)
      const deadline = performance.now() + timeoutMs
      const { answerBytesMax } = options
      const call = new Call({ deadline, answerBytesMax, settled, released: () => gate.leave() })
      let giveUp = () => {}
      const interrupt: Interrupt = (interruption) => {
        giveUp()
        call.interrupt(interruption)
      }
      const abort = () => interrupt('aborted')
      const timer = setTimeout(interrupt, timeoutMs, 'timeout')
      if (closing !== undefined) return interrupt('client closed')
      if (request.signal?.aborted === true) return interrupt('aborted')
      if (timeoutMs <= 0) return interrupt('timeout')
      open.add(interrupt)
      request.signal?.addEventListener('abort', abort, { once: true })
      giveUp = gate.enter(() => {
        // A place becomes free while many calls are being ended one by one: the next must not slip through in between.
        const ended = isClosed ? 'client closed' : request.signal?.aborted === true ? 'aborted' : undefined
        if (ended !== undefined) {
          interrupt(ended)
          return false
        }
        call.dispatched()
        const { method, path, body = null, headers = body === null ? null : JSON_HEADERS } = request
        pool.dispatch({ origin, method, path, body, ...(headers === null ? {} : { headers }) }, call)
        return true
      })
    })

  const shutDown = async (graceMs: number) => {
    if (open.size > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs)
        onIdle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    isClosed = true
    for (const interrupt of open) interrupt('client closed')
    await pool.destroy()
  }
  return { exchange, close: (graceMs) => (closing ??= shutDown(graceMs)) }
}

type Interrupt = (interruption: Interruption) => void
