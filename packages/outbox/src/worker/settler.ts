/**
 * Makes true what runs came to. WeChat's answer is worth nothing before Redis has it: a process that loses it sends again, or
 * buries what was delivered. So a settlement is kept until Redis says that it holds, whatever Redis answers meanwhile
 * (READONLY, NOREPLICAS, OOM, BUSY, MISCONF, NOSCRIPT …) and however long the run's lock has been gone.
 *
 *   queued ──end of the event loop's turn──→ in a script ──answered──→ settled, or gone: another run has settled the message
 *      ↑                                         │
 *      └──────── backoff, then once more ←───────┘ refused as a whole, or by itself
 *
 * One script settles all that ended in one turn of the event loop, and fetches the next messages for the same runs; a run
 * that only fetches takes part. While a script is under way, what ends waits for its answer, so that the next script takes all
 * of it: scripts of two or three messages one after the other cost Redis and the worker more than they gain by being early.
 * That next script is written before the answer is handed out, so that it leaves in the turn that brought the answer and
 * not in the one after it. An idle worker's only message finds no script under way and leaves at the end of the turn.
 */
import { messageOf } from '../errors.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { runScript, type ScriptCall } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { argumentsOf, type Item, readAnswer, type Settled, type SettleScript } from './settle-script.ts'

export interface SettlerOptions extends Omit<SettleScript, 'isReady'> {
  readonly appid: string
  readonly store: Store
  /** Whether a message that is fetched now can be sent at once. */
  readonly isReady: () => boolean
  readonly report: SettlerReport
}

export interface SettlerReport {
  /** Settlements or fetches are refused: the first time, and then once in a while. */
  readonly unsettled: (trouble: Trouble) => void
  /** What was refused has been settled. */
  readonly settledAgain: () => void
}

/** What stands between the worker and Redis. */
export interface Trouble {
  readonly error: string
  /** Runs whose end Redis does not have yet; none where it only refuses to hand out messages. */
  readonly pending: number
  /** Since when, by `performance.now()`. */
  readonly sinceMs: number
}

/** The turn of a message that came with its fetch. */
export interface Admission {
  readonly tries: number
  /** By `performance.now()`: the lease began no earlier. */
  readonly leaseFrom: number
}

/** Runs in one script: Redis serves nobody else while it works, some 30 µs for each. */
const BATCH_MAX = 50
const BACKOFF_MS = 20
/** Short beside any lease: once Redis writes again, settlements come before anybody takes the messages over. */
const BACKOFF_MS_MAX = 500
const REPORT_EVERY_MS = 10_000

const NOTHING: Settled = { outcome: 'done', fetched: undefined, dueAt: 0, onlyBullmq: false }
/** Nobody may say of it that it holds: Redis does not have it. */
const ABANDONED: Settled = { ...NOTHING, outcome: 'gone' }

interface Pending {
  item: Item
  failures: number
  readonly resolve: (settled: Settled) => void
}

function backoffMs(failures: number): number {
  return Math.min(BACKOFF_MS * 2 ** Math.min(failures, 10), BACKOFF_MS_MAX) * (0.5 + Math.random() / 2)
}

export class Settler {
  readonly #options: SettlerOptions
  readonly #keys: AppKeys
  /** By lock token: a run has one message at a time. */
  readonly #admitted = new Map<string, Admission & { readonly id: string }>()
  readonly #pending = new Set<Pending>()
  readonly #trouble: ReturnType<typeof watchTrouble>
  /** What the next script takes. */
  #queue: Pending[] = []
  #isDue = false
  #scriptsUnderWay = 0
  /** Settlements and fetches that Redis has refused by themselves. */
  #failing = 0
  #isBullmqRefused = false
  #closing: PromiseWithResolvers<void> | undefined

  constructor(options: SettlerOptions) {
    this.#options = options
    this.#keys = appKeys(options.appid)
    this.#trouble = watchTrouble(
      options.report,
      () => [...this.#pending].filter(({ item }) => item.kind !== 'fetch').length,
    )
  }

  /** Resolves when Redis has it, with the message that was fetched instead. Never rejects. */
  settle(item: Item): Promise<Settled> {
    return new Promise((resolve) => {
      const one = { item, failures: 0, resolve }
      this.#pending.add(one)
      this.#add(one)
    })
  }

  /** The turn of the message that a run begins with, once. */
  admissionOf(id: string, token: string): Admission | undefined {
    const admission = this.#admitted.get(token)
    this.#admitted.delete(token)
    return admission?.id === id ? admission : undefined
  }

  /** What a fetch by BullMQ's own method met: the error with which Redis refuses it, or undefined where it was answered. */
  metByBullmq(error: string | undefined): void {
    this.#isBullmqRefused = error !== undefined
    if (error === undefined) this.#lookWhetherOver()
    else this.#trouble.note(error)
  }

  /** What Redis refuses at present. */
  trouble(): Trouble | undefined {
    return this.#trouble.read()
  }

  /** Fetches nothing more. Resolves when everything is settled. */
  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers<void>()
    // What is under way may bring a message, which has to have its run; what is asked again brings none.
    this.#queue = this.#takeDue()
    if (this.#pending.size === 0) this.#closing.resolve()
    return this.#closing.promise
  }

  /** Gives up what is left, because the process ends: the messages are taken over as those of a worker that died. */
  abandon(): void {
    for (const one of this.#pending) this.#end(one, ABANDONED, 0)
  }

  #add(one: Pending): void {
    this.#queue.push(one)
    this.#flushSoon()
  }

  #mayFlush(): boolean {
    return this.#scriptsUnderWay === 0 && this.#queue.length > 0 && !this.#trouble.isWaiting()
  }

  #flushSoon(): void {
    if (this.#isDue || !this.#mayFlush()) return
    this.#isDue = true
    setImmediate(() => this.#flush())
  }

  /** What waits, without what was abandoned meanwhile. */
  #takeDue(): Pending[] {
    const due = this.#queue
    this.#queue = []
    if (this.#closing !== undefined) for (const one of due) this.#fetchNoMore(one)
    return due.filter((one) => this.#pending.has(one))
  }

  #fetchNoMore(one: Pending): void {
    if (one.item.kind === 'fetch') this.#end(one, NOTHING, 0)
    else one.item = { ...one.item, fetches: false }
  }

  #flush(): void {
    this.#isDue = false
    const due = this.#takeDue()
    for (let from = 0; from < due.length; from += BATCH_MAX) void this.#run(due.slice(from, from + BATCH_MAX))
  }

  async #run(batch: readonly Pending[]): Promise<void> {
    const { store, isReady } = this.#options
    const connection = store.connection()
    const leaseFrom = performance.now()
    const items = batch.map(({ item }) => item)
    try {
      const answered = await this.#ask(argumentsOf(this.#keys, items, { ...this.#options, isReady: isReady() }))
      if (this.#mayFlush()) this.#flush()
      const settled = items.map((item, n) => readAnswer(answered, n, item))
      if (store.connection() !== connection) await giveBack(this.#keys, store, { items, settled })
      // What holds comes first: then it is known how much does not.
      const ends = batch.map((one, n) => [one, settled[n] ?? NOTHING] as const)
      for (const [one, its] of ends) if (its.outcome !== 'failed') this.#end(one, its, leaseFrom)
      for (const [one, its] of ends) if (its.outcome === 'failed') this.#failed(one, its.error)
      this.#lookWhetherOver()
    } catch (error) {
      this.#queue.push(...batch)
      this.#trouble.met(messageOf(error), () => this.#flush())
    } finally {
      this.#flushSoon()
    }
  }

  #lookWhetherOver(): void {
    if (this.#failing === 0 && !this.#isBullmqRefused && !this.#trouble.isWaiting()) this.#trouble.over()
  }

  async #ask(call: ScriptCall): Promise<unknown[]> {
    this.#scriptsUnderWay += 1
    try {
      return await runScript<unknown[]>(this.#options.store.redis, call)
    } finally {
      this.#scriptsUnderWay -= 1
    }
  }

  /** Refused by itself: the others of its script are settled, and it comes again with the next ones. */
  #failed(one: Pending, error = ''): void {
    if (!this.#pending.has(one)) return
    this.#trouble.note(error)
    this.#failing += one.failures === 0 ? 1 : 0
    one.failures += 1
    setTimeout(() => this.#add(one), backoffMs(one.failures))
  }

  #end(one: Pending, settled: Settled, leaseFrom: number): void {
    if (!this.#pending.delete(one)) return
    const { token } = one.item
    const { fetched } = settled
    if (fetched?.tries !== undefined) this.#admitted.set(token, { id: fetched.id, tries: fetched.tries, leaseFrom })
    if (one.failures > 0) this.#failing -= 1
    // That counts until Redis has handed something out, or nothing is left that only BullMQ's method fetches.
    if (fetched !== undefined || (one.item.kind === 'fetch' && !settled.onlyBullmq)) this.#isBullmqRefused = false
    if (this.#pending.size === 0) this.#closing?.resolve()
    one.resolve(settled)
  }
}

/** Redis refuses, be it everything or one settlement: one wait for all, one line now and then. */
function watchTrouble(report: SettlerReport, pending: () => number) {
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  let current: { error: string; sinceMs: number } | undefined
  let reportedAt = Number.NEGATIVE_INFINITY
  const read = (): Trouble | undefined => current && { ...current, pending: pending() }

  function note(error: string): void {
    const now = performance.now()
    current = { error, sinceMs: current?.sinceMs ?? now }
    if (now - reportedAt < REPORT_EVERY_MS) return
    reportedAt = now
    report.unsettled({ ...current, pending: pending() })
  }

  return {
    read,
    note,
    isWaiting: () => timer !== undefined,
    met(error: string, again: () => void): void {
      note(error)
      if (timer !== undefined) return
      failures += 1
      timer = setTimeout(() => {
        timer = undefined
        again()
      }, backoffMs(failures))
    },
    over(): void {
      if (current === undefined) return
      failures = 0
      current = undefined
      reportedAt = Number.NEGATIVE_INFINITY
      report.settledAgain()
    },
  }
}

/** The client has asked again after its connection was lost, so two messages may have been fetched for one run. */
async function giveBack(
  keys: AppKeys,
  store: Store,
  { items, settled }: { items: readonly Item[]; settled: readonly Settled[] },
): Promise<void> {
  const known = items.flatMap(({ id, fetches, token }, n) => {
    const its = settled[n]
    // A run whose settlement was refused holds its message still.
    return fetches ? [token, (its?.outcome === 'failed' ? id : its?.fetched?.id) ?? ''] : []
  })
  if (known.length === 0) return
  const call = {
    name: 'give-back',
    keys: [keys.sendActive, keys.sendWait, keys.sendMarker],
    args: [keys.sendJobs, ...known],
  } as const
  // What stays as it is, the look for stalled jobs finds.
  await runScript(store.redis, call).catch(() => undefined)
}

export type { Item, Settled }
