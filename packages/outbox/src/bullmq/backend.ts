/**
 * The Worker is BullMQ's and stays its loop: it fetches, runs, renews locks and closes. What it does to jobs is ours: a run
 * returns its settlement, and this backend hands that to the settler in place of BullMQ's completion. So there is one way in
 * which a run's result becomes true, and BullMQ never fails a job of ours.
 *
 * A backend is BullMQ's documented point of extension. What only BullMQ knows how to fetch or to complete (rates, priorities, parents,
 * deduplication: jobs that were added by other means) goes through its own methods.
 */
import type { Attempt } from '@wechat-outbox/messages'
import { type MinimalJob, RedisQueueBackend } from 'bullmq'
import { isRefusal } from '../errors.ts'
import type { Store } from '../redis/store.ts'
import type { Item, Settled, Settler } from '../worker/settler.ts'

/** What the processor returns. BullMQ would store it as text, which is not needed here. */
export class Ended {
  readonly item: Item
  /** What BullMQ's own completion stores, of a job that only that can complete. */
  readonly returned: { readonly attempts: readonly Attempt[] } | undefined
  /** Told when Redis has it. */
  readonly onSettled: (settled: Settled) => void

  constructor(item: Item, onSettled: (settled: Settled) => void, returned?: { readonly attempts: readonly Attempt[] }) {
    this.item = item
    this.onSettled = onSettled
    this.returned = returned
  }

  toJSON(): undefined {
    return undefined
  }
}

export interface OutboxBackendOptions {
  readonly store: Store
  readonly settler: Settler
  /** The app has a rate, which BullMQ's own method keeps while it fetches. */
  readonly hasRate: boolean
}

type Moved = Awaited<ReturnType<RedisQueueBackend['moveToActive']>>
type Finished = Awaited<ReturnType<RedisQueueBackend['moveToCompleted']>>

export class OutboxBackend extends RedisQueueBackend {
  #options!: OutboxBackendOptions
  #refusalSaidAt = Number.NEGATIVE_INFINITY

  /** What cannot be a parameter of the constructor, because BullMQ's sibling backends are made by it. */
  serve(options: OutboxBackendOptions): this {
    this.#options = options
    return this
  }

  override async moveToActive(token: string, name?: string): Promise<Moved> {
    const { settler, hasRate } = this.#options
    if (hasRate) return this.#fetchByBullmq(token, name)
    const settled = await settler.settle({ kind: 'fetch', id: '', token, fetches: true })
    if (settled.fetched === undefined && settled.onlyBullmq) return this.#fetchByBullmq(token, name)
    return this.#moved(settled)
  }

  override async moveToCompleted<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    returned: R,
    ...rest: Rest<RedisQueueBackend['moveToCompleted']>
  ): Promise<Finished> {
    const [keep, token, fetchNext] = rest
    if (!(returned instanceof Ended)) return super.moveToCompleted(job, returned, ...rest)
    const fetches = fetchNext && !this.#options.hasRate
    const { item } = returned
    const isBullmqs = item.kind === 'delivered' && item.isBullmqs
    const settled = await this.#options.settler.settle({ ...item, fetches: fetches && !isBullmqs } as Item)
    returned.onSettled(settled)
    const finishedOn = Date.now()
    if (isBullmqs) return super.moveToCompleted(job, returned.returned as never, keep, token, false)
    return { result: fetches ? this.#moved(settled) : undefined, finishedOn } as Finished
  }

  /** No job of ours fails: one that BullMQ was about to fail, on its own count of stalls, waits for its next run. */
  override async moveToFailed<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    failedReason: string,
    ...rest: Rest<RedisQueueBackend['moveToFailed']>
  ): Promise<Finished> {
    const [, token] = rest
    await this.#options.settler.settle({ kind: 'give-back', id: String(job.id), token, fetches: false })
    this.emit('error', new Error(`a run of ${job.id} ended without a settlement: ${failedReason}`))
    return { result: undefined, finishedOn: Date.now() } as unknown as Finished
  }

  /** What BullMQ's own fetch compares with delays is Redis's time, as everywhere. */
  override execCommand(client: unknown, command: string, args: unknown[]): unknown {
    if (command === 'moveToActive') args[TIMESTAMP_AT] = this.#options.store.clock.now()
    return super.execCommand(client as never, command, args as never)
  }

  /** BullMQ asks again at once where Redis refuses, and says so each time; here it waits, and says so now and then. */
  async #fetchByBullmq(token: string, name: string | undefined): Promise<Moved> {
    try {
      return await super.moveToActive(token, name as string)
    } catch (error) {
      if (!isRefusal(error)) throw error
      const now = performance.now()
      if (now - this.#refusalSaidAt >= SAY_EVERY_MS) {
        this.#refusalSaidAt = now
        this.emit('error', error as Error)
      }
      return [undefined, undefined, 0, Date.now() + AFTER_REFUSAL_MS] as unknown as Moved
    }
  }

  #moved({ fetched, dueAt }: Settled): Moved {
    const { clock } = this.#options.store
    // BullMQ waits by this machine's clock.
    return [fetched?.json, fetched?.id, 0, dueAt === 0 ? 0 : clock.toLocal(dueAt)] as unknown as Moved
  }
}

/** Where BullMQ's fetch has its time: behind eleven keys and the prefix. */
const TIMESTAMP_AT = 12

const AFTER_REFUSAL_MS = 500
const SAY_EVERY_MS = 10_000

type Rest<Method> = Method extends (first: never, second: never, ...rest: infer Others) => unknown ? Others : never
