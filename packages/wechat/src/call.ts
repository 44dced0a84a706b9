/**
 * One HTTP exchange, and the one question that decides whether a message may be sent again: was the request written?
 * The pool asks its handler (`onRequestStart`) immediately before it hands the first byte to the socket. What ends before
 * that was never written; what ends after it may have been. The same moment is the last one at which a call that nobody
 * waits for any more can be stopped for certain, and it is.
 */
import type { Dispatcher } from 'undici'
import { faultDetail, type Interruption, interruptionDetail, isWritten, type Phase } from './faults.ts'
import { textOf } from './read.ts'

/** What came of an exchange. `status` and `retryAfter` are kept where the headers arrived and the rest did not. */
export type Exchanged =
  | { readonly kind: 'answer'; readonly status: number; readonly retryAfter?: string; readonly body: string }
  | {
      readonly kind: 'broken'
      readonly written: boolean
      readonly status?: number
      readonly retryAfter?: string
      readonly detail: string
    }

export interface CallOptions {
  /** By `performance.now()`. From then on nothing is written, whether the timer has come to its turn or not. */
  readonly deadline: number
  readonly answerBytesMax: number
  /** Called once, when the caller can be answered. */
  readonly settled: (exchanged: Exchanged) => void
  /** Called once, when the pool has let go of the call and its place is free. */
  readonly released: () => void
}

/** Thrown at the pool to stop a request; nobody reads it. One object, because a stack trace costs more than the call. */
const ABANDONED = new Error('abandoned')

const EMPTY = Buffer.alloc(0)

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** A class, because the pool's handler is an object with methods, made thousands of times a second. */
export class Call implements Dispatcher.DispatchHandler {
  readonly #options: CallOptions
  #phase: Phase = 'waiting'
  #isSettled = false
  #isReleased = false
  #controller: Dispatcher.DispatchController | undefined
  #status: number | undefined
  #retryAfter: string | undefined
  #encoding: string | undefined
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(options: CallOptions) {
    this.#options = options
  }

  /** The pool takes the call over now. */
  dispatched(): void {
    this.#phase = 'connecting'
  }

  /** Ends the call from this side. The caller is answered at once, even where the pool holds on to the request. */
  interrupt(interruption: Interruption): void {
    this.#break(interruptionDetail(interruption, this.#phase))
    this.#controller?.abort(ABANDONED)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // A process that stood still hears first of the connection that was made meanwhile, and of its timers afterwards.
    if (performance.now() >= this.#options.deadline) this.#break(interruptionDetail('timeout', this.#phase))
    // Thrown here, the pool drops the request unwritten and keeps the connection; an abort would destroy it.
    if (this.#isSettled) throw ABANDONED
    this.#controller = controller
    this.#phase = 'sent'
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return
    this.#phase = 'answering'
    this.#status = status
    this.#retryAfter = first(headers['retry-after'])
    this.#encoding = first(headers['content-encoding'])
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes <= this.#options.answerBytesMax) {
      this.#chunks.push(chunk)
      return
    }
    this.#endAsTooLarge()
    controller.abort(ABANDONED)
  }

  onResponseEnd(): void {
    const [head, ...more] = this.#chunks
    const bytes = head === undefined ? EMPTY : more.length === 0 ? head : Buffer.concat(this.#chunks)
    const body = textOf(bytes, this.#encoding, this.#options.answerBytesMax)
    if (body === null) this.#endAsTooLarge()
    else this.#settle({ kind: 'answer', status: this.#status ?? 0, ...this.#retryAfterField(), body })
    this.#release()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: unknown): void {
    // So undici says that the proxy wants another password: an answer of its own, before the call went further.
    if (isWritten(this.#phase) && isProxyRefusal(error)) this.#settle({ kind: 'answer', status: 407, body: '' })
    else this.#break(faultDetail(error, this.#phase))
    this.#release()
  }

  /** None of WeChat's answers is that long; a page says with any status but 200 no more than the status does. */
  #endAsTooLarge(): void {
    const status = this.#status ?? 0
    if (status === 200) this.#break(`answer larger than ${this.#options.answerBytesMax} bytes`)
    else this.#settle({ kind: 'answer', status, ...this.#retryAfterField(), body: '' })
  }

  #break(detail: string): void {
    const status = this.#status === undefined ? {} : { status: this.#status }
    const written = isWritten(this.#phase)
    this.#settle({ kind: 'broken', written, ...status, ...this.#retryAfterField(), detail })
  }

  #retryAfterField(): { readonly retryAfter?: string } {
    return this.#retryAfter === undefined ? {} : { retryAfter: this.#retryAfter }
  }

  #settle(exchanged: Exchanged): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#chunks = []
    this.#options.settled(exchanged)
  }

  #release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#options.released()
  }
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

function isProxyRefusal(error: unknown): boolean {
  return error instanceof Error && error.message === 'Proxy Authentication Required (407)'
}
