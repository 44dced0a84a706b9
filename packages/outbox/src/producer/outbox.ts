/**
 * The producer: what another service installs to hand its messages over. A resolved `send` means that Redis has the
 * message and the outbox is responsible for it; a rejected one names the reason, and may be repeated.
 */
import {
  appidSchema,
  BATCH_MAX,
  type CheckedRequest,
  check,
  checkSendRequest,
  fingerprint,
  newMessageId,
  type OnClosed,
  type Problem,
  type ReplyWindow,
  type SendRequest,
  type StatusReport,
  sendRequestSchema,
  splitText,
  type TextRule,
  touserSchema,
  type UserAction,
  userActionSchema,
  type WindowRules,
} from '@wechat-outbox/messages'
import { invalid, OutboxError, storeError } from '../errors.ts'
import { type LazyStore, lazyStore } from '../redis/lazy-store.ts'
import type { Store } from '../redis/store.ts'
import { readWindow, recordAction } from '../windows/ledger.ts'
import { type Cancellation, cancelMessage } from './cancel.ts'
import { createEnqueuer, type Enqueued, type Enqueuer } from './enqueue.ts'
import { createMemoryGuard, type MemoryGuard } from './memory-guard.ts'
import { newMessage } from './new-message.ts'
import { APPID_RULE, type OutboxLink, type OutboxOptions, readOptions } from './options.ts'
import { readStatus } from './status.ts'
import { type SendTracer, sendTracerOf } from './telemetry.ts'

export interface Receipt {
  readonly id: string
  /** `unknown`: a repeat, and nothing is left that says what became of the message. */
  readonly status: StatusReport['status'] | 'unknown'
  /** True when an earlier call with the same idempotency key stored this message. */
  readonly duplicate: boolean
}

export type SendResult = Receipt | { readonly error: OutboxError }

/**
 * The producer. One per process and Redis is enough: it has one connection, and calls that are made together go together.
 *
 * @example
 * const outbox = new Outbox({ redis: 'redis://127.0.0.1:6379', appid: 'wx1234567890abcdef' })
 * const { id } = await outbox.send({ touser: 'oAnna', msgtype: 'text', text: { content: '您好' }, idempotencyKey: 'order-7-paid' })
 * await outbox.status(id) // { id, status: 'queued', … }
 * await outbox.close()
 */
export class Outbox {
  readonly #appid: string | undefined
  readonly #ttlMs: number
  readonly #texts: TextRule
  readonly #onClosed: OnClosed | undefined
  readonly #windows: WindowRules
  readonly #schema: ReturnType<typeof sendRequestSchema>
  readonly #open: () => Promise<Store>
  readonly #close: () => Promise<void>
  readonly #enqueuer: Enqueuer
  readonly #memory: MemoryGuard
  readonly #traced: SendTracer
  /** Calls that are under way. */
  readonly #calls = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  /** Connects in the background. @throws OutboxError WXO_CONFIG when options cannot be meant; `issues` names each of them */
  constructor(options: OutboxOptions) {
    const { redis, appid, ttlMs, texts, isReplicated, onClosed, windows, telemetry } = readOptions(options)
    this.#appid = appid
    this.#ttlMs = ttlMs
    this.#texts = texts
    this.#onClosed = onClosed
    this.#windows = windows
    this.#schema = sendRequestSchema(texts)
    const own = typeof redis === 'string' ? ownStore(redis) : undefined
    const link = own ?? (redis as OutboxLink)
    this.#open = () => link.open() as Promise<Store>
    this.#close = async () => own?.close()
    this.#enqueuer = createEnqueuer(this.#open, { replicated: isReplicated })
    this.#memory = createMemoryGuard(this.#open)
    this.#traced = sendTracerOf(telemetry)
  }

  /**
   * Stores one message. Resolves when Redis has it, rejects within two seconds while Redis is away.
   * @throws OutboxError WXO_INVALID, WXO_CONFLICT, WXO_UNAVAILABLE, WXO_FULL, WXO_WINDOW_CLOSED, WXO_CLOSED, WXO_CONFIG (no appid)
   */
  async send(given: SendRequest): Promise<Receipt> {
    return this.#guarded(async () => {
      const { appid, checked } = this.#check(given)
      return this.#traced(appid, checked, (request) => this.#store(appid, request))
    })
  }

  /**
   * Stores up to 1000 messages. One result per request, in order: a refused one does not hold up the others.
   * @example
   * const results = await outbox.sendMany(requests)
   * const refused = results.flatMap((result, at) => ('error' in result ? [{ request: requests[at], error: result.error }] : []))
   */
  async sendMany(requests: readonly SendRequest[]): Promise<SendResult[]> {
    if (!Array.isArray(requests)) throw invalid([{ path: '', message: 'must be an array of messages' }])
    if (requests.length > BATCH_MAX) {
      throw invalid([{ path: '', message: `must be at most ${BATCH_MAX} messages, not ${requests.length}` }])
    }
    const sent = requests.map((request) => this.send(request))
    return (await Promise.allSettled(sent)).map((result) =>
      result.status === 'fulfilled' ? result.value : { error: storeError(result.reason) },
    )
  }

  /** Where a message stands; null when it is not known or no longer retained. `appid`: the Outbox's own by default. */
  async status(id: string, appid?: string): Promise<StatusReport | null> {
    return this.#guarded(async () => {
      const at = this.#placeOf(id, appid)
      return readStatus(await this.#open(), at.appid, at.id)
    })
  }

  /** Takes a message back, unless something of it may have reached WeChat already. */
  async cancel(id: string, appid?: string): Promise<Cancellation> {
    return this.#guarded(async () => {
      const at = this.#placeOf(id, appid)
      return cancelMessage(await this.#open(), at, this.#ttlMs)
    })
  }

  /**
   * Records what a user did, which opens the reply window and lets go what waits for it. Resolves when Redis has it; may be repeated with
   * the same `at` and `id`.
   * @throws OutboxError WXO_INVALID, WXO_UNAVAILABLE, WXO_CLOSED, WXO_CONFIG (no appid)
   */
  async userActed(given: UserAction): Promise<void> {
    return this.#guarded(async () => {
      const { appid = this.#appid, ...rest } = (isObject(given) ? given : {}) as Partial<UserAction>
      const app = this.#appOf(appid)
      const action = check(isObject(given) ? rest : given, userActionSchema)
      if (!action.ok || app.appid === undefined)
        throw invalid([...(app.problems ?? []), ...(action.ok ? [] : action.problems)])
      const rule = this.#windows[action.value.action]
      await recordAction(await this.#open(), app.appid, { ...action.value, rule })
    })
  }

  /** What is known of a person's reply window: how many messages WeChat still takes, and until when. */
  async window(touser: string, appid: string | undefined = this.#appid): Promise<ReplyWindow> {
    return this.#guarded(async () => {
      const app = this.#appOf(appid)
      const person = check(touser, touserSchema)
      const problems = person.ok ? [] : person.problems.map((problem) => ({ ...problem, path: 'touser' }))
      if (!person.ok || app.appid === undefined) throw invalid([...(app.problems ?? []), ...problems])
      return readWindow(await this.#open(), app.appid, person.value)
    })
  }

  /**
   * Finishes the calls that were made before, each of which takes a few seconds at most, and ends the connections that it
   * opened. Every later call is refused with WXO_CLOSED.
   */
  async close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#calls).then(() => this.#close())
    return this.#closing
  }

  async #store(appid: string, checked: CheckedRequest): Promise<Receipt> {
    if (this.#memory.isFull()) {
      throw new OutboxError('WXO_FULL', 'Redis is near its memory limit and takes no new messages')
    }
    const key = checked.idempotencyKey
    const guard = key === undefined ? {} : { guard: { key, fingerprint: fingerprint(checked), ttlMs: this.#ttlMs } }
    const texts = this.#textsOf(checked)
    if (texts.length > 1 && checked.collapseKey !== undefined) throw invalid([NO_PARTS])
    const request = { ...checked, onClosed: checked.onClosed ?? this.#onClosed }
    const message = { appid, ...newMessage(newMessageId(), request, texts), ...guard }
    const enqueued = await this.#enqueuer.enqueue(message)
    const { id, duplicate } = enqueued
    if (duplicate) return { id, status: await this.#statusOfRepeat(appid, enqueued), duplicate }
    return { id, status: enqueued.stands === 'scheduled' ? 'scheduled' : 'queued', duplicate }
  }

  #check(request: unknown): { appid: string; checked: CheckedRequest } {
    const { appid = this.#appid, ...rest } = (isObject(request) ? request : {}) as { appid?: unknown }
    const result = checkSendRequest(isObject(request) ? rest : request, this.#schema)
    const problems = result.ok ? [] : [...result.problems]
    if (appid === undefined) throw new OutboxError('WXO_CONFIG', 'neither the message nor the Outbox names an appid')
    const app = appidSchema.safeParse(appid)
    if (!app.success) problems.unshift({ path: 'appid', message: APPID_RULE })
    if (!result.ok || !app.success) throw invalid(problems)
    return { appid: app.data, checked: result.value }
  }

  /** What the text of a message becomes. It has been checked, so it can be cut. */
  #textsOf(request: CheckedRequest): readonly string[] {
    if (request.msgtype !== 'text') return []
    const { content } = request.text
    const split = this.#texts.isSplit ? splitText(content, this.#texts.bytesMax) : undefined
    return split?.ok ? split.parts : [content]
  }

  /** The job has it, or what it left; and after those, what was noted beside the key, which lives as long as the key does. */
  async #statusOfRepeat(
    appid: string,
    { id, ending }: Extract<Enqueued, { duplicate: true }>,
  ): Promise<Receipt['status']> {
    if (ending !== undefined) return ending
    const report = await readStatus(await this.#open(), appid, id)
    return report?.status ?? 'unknown'
  }

  #appOf(appid: unknown): { appid: string; problems?: undefined } | { appid?: undefined; problems: Problem[] } {
    if (appid === undefined) throw new OutboxError('WXO_CONFIG', 'neither the call nor the Outbox names an appid')
    const app = appidSchema.safeParse(appid)
    return app.success ? { appid: app.data } : { problems: [{ path: 'appid', message: APPID_RULE }] }
  }

  /** Any text is an id: what no message has is known of none. */
  #placeOf(id: unknown, appid: unknown = this.#appid): { appid: string; id: string } {
    const app = this.#appOf(appid)
    const problems = typeof id === 'string' ? [] : [{ path: 'id', message: 'must be a string' }]
    if (app.appid === undefined || typeof id !== 'string') throw invalid([...problems, ...(app.problems ?? [])])
    return { appid: app.appid, id }
  }

  /** Every call: refused after `close`, finished before it, and errors of Redis become those of this package. */
  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new OutboxError('WXO_CLOSED', 'the Outbox has been closed')
    const made = call()
    this.#calls.add(made)
    try {
      return await made
    } catch (error) {
      throw storeError(error)
    } finally {
      this.#calls.delete(made)
    }
  }
}

/** Some of the parts may have been sent when the newer message comes. */
const NO_PARTS: Problem = { path: 'collapseKey', message: 'cannot be given with a text that is cut into several' }

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function ownStore(url: string): LazyStore {
  const store = lazyStore(url)
  // Connect now, so that the first message does not wait for it; a failure is reported by the first call.
  store.open().catch(() => undefined)
  return store
}
