/**
 * The Worker is BullMQ's and stays its loop: it fetches, runs, renews locks and closes. What it does to jobs is ours: a run
 * returns its settlement, and this backend hands that to the settler in place of BullMQ's completion. So there is one way in
 * which a run's result becomes true, and BullMQ never fails a job of ours.
 *
 * A backend is BullMQ's documented point of extension. What only BullMQ knows how to fetch or to complete (rates, priorities, parents,
 * deduplication: jobs that were added by other means) goes through its own methods.
 */
import type { Attempt } from '@wechat-outbox/messages'
import { type Job, type MinimalJob, RedisQueueBackend } from 'bullmq'
import { isRefusal, messageOf } from '../errors.ts'
import type { Store } from '../redis/store.ts'
import type { Item, Settled, Settler } from '../worker/settler.ts'
import { parseJson } from './job-hash.ts'

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
  #ready: Promise<void> | undefined

  /** What cannot be a parameter of the constructor, because BullMQ's sibling backends are made by it. */
  serve(options: OutboxBackendOptions): this {
    this.#options = options
    return this
  }

  /**
   * BullMQ waits for this before it completes a job. A connection that a busy queue opens later may be refused, or never be
   * answered, and what a run has come to must neither fail by that nor wait for it: it goes over the store's connection.
   */
  override waitUntilReady(): Promise<void> {
    this.#ready ??= super.waitUntilReady()
    return this.#ready
  }

  override async moveToActive(token: string, name?: string): Promise<Moved> {
    const { settler, hasRate } = this.#options
    if (!hasRate) {
      const settled = await settler.settle({ kind: 'fetch', id: '', token, fetches: true })
      if (settled.fetched !== undefined || !settled.onlyBullmq) return this.#moved(settled)
    }
    return this.#fetchByBullmq(token, name)
  }

  override async moveToCompleted<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    returned: R,
    ...rest: Rest<RedisQueueBackend['moveToCompleted']>
  ): Promise<Finished> {
    const [, , fetchNext] = rest
    if (!(returned instanceof Ended)) return super.moveToCompleted(job, returned, ...rest)
    const fetches = fetchNext && !this.#options.hasRate
    const { item } = returned
    const isBullmqs = item.kind === 'delivered' && item.isBullmqs
    const settled = await this.#options.settler.settle({ ...item, fetches: fetches && !isBullmqs } as Item)
    try {
      returned.onSettled(settled)
    } catch (error) {
      // It holds whoever is told, and the message that was fetched with it waits for its run.
      this.emit('error', error)
    }
    if (isBullmqs) return this.#completeByBullmq(job, returned, rest)
    return { result: fetches ? this.#moved(settled) : undefined, finishedOn: Date.now() } as Finished
  }

  /** No job of ours fails: one that BullMQ was about to fail, on its own count of stalls, waits for its next run. */
  override async moveToFailed<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    failedReason: string,
    ...rest: Rest<RedisQueueBackend['moveToFailed']>
  ): Promise<Finished> {
    const [, token] = rest
    this.emit('error', new Error(`a run of ${job.id} ended without a settlement: ${failedReason}`))
    // Only BullMQ can complete it, and the next run asks for that, once this one's lock has ended.
    if (isBullmqs(job as unknown as Job) && (await this.#isSettled(String(job.id)))) return finishedWithoutNext()
    await this.#options.settler.settle({ kind: 'give-back', id: String(job.id), token, fetches: false })
    return finishedWithoutNext()
  }

  /** What BullMQ's own scripts compare with delays is Redis's time, as everywhere. */
  override execCommand(client: unknown, command: string, args: unknown[]): unknown {
    const at = TIMESTAMP_AT[command]
    if (at !== undefined) args[at] = this.#options.store.clock.now()
    return super.execCommand(client as never, command, args as never)
  }

  /** BullMQ asks again at once where Redis refuses, and says so each time; here it waits, and the settler says so. */
  async #fetchByBullmq(token: string, name: string | undefined): Promise<Moved> {
    const { settler } = this.#options
    try {
      const moved = await super.moveToActive(token, name as string)
      settler.metByBullmq(undefined)
      return this.#byLocalClock(moved)
    } catch (error) {
      if (!isRefusal(error)) throw error
      settler.metByBullmq(messageOf(error))
      return [undefined, undefined, 0, Date.now() + AFTER_REFUSAL_MS] as unknown as Moved
    }
  }

  /** WeChat has the message. Where BullMQ refuses, the job stays as it is, and its next run asks again once this lock has ended. */
  async #completeByBullmq<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    { item, returned }: Ended,
    rest: Rest<RedisQueueBackend['moveToCompleted']>,
  ): Promise<Finished> {
    try {
      const isRepeated = item.kind === 'delivered' && item.returned === ''
      const value = isRepeated ? await this.#returnedBefore(item.id) : returned
      const finished = await super.moveToCompleted(job, value as never, ...rest)
      return { ...finished, result: finished.result && this.#byLocalClock(finished.result as Moved) } as Finished
    } catch (error) {
      // Thrown, it would be a failure to BullMQ, which would count a try and store the error in the message's history.
      this.emit('error', new Error(`BullMQ does not complete ${item.id}: ${messageOf(error)}`))
      return finishedWithoutNext()
    }
  }

  /** What an earlier run of the message has returned. */
  async #returnedBefore(id: string): Promise<unknown> {
    return parseJson(await this.#options.store.redis.hget(this.toKey(id), 'returnvalue'))
  }

  async #isSettled(id: string): Promise<boolean> {
    return (await this.#options.store.redis.hexists(this.toKey(id), 'settled')) === 1
  }

  #moved({ fetched, dueAt }: Settled): Moved {
    return this.#byLocalClock([fetched?.json, fetched?.id, 0, dueAt] as unknown as Moved)
  }

  /** BullMQ waits for the earliest delayed job by this machine's clock. */
  #byLocalClock(moved: Moved): Moved {
    const [json, id, limitMs, dueAt] = moved as unknown[]
    return [json, id, limitMs, dueAt ? this.#options.store.clock.toLocal(Number(dueAt)) : 0] as unknown as Moved
  }
}

/** Where BullMQ's scripts that fetch have their time: behind eleven keys and the prefix, or fourteen and the job's id. */
const TIMESTAMP_AT: Readonly<Record<string, number>> = { moveToActive: 12, moveToFinished: 15 }

/** Whether only BullMQ's own method can complete a job: one that was added by other means, with options that ours never have. */
export function isBullmqs(job: Pick<Job, 'parentKey' | 'deduplicationId' | 'repeatJobKey' | 'opts'>): boolean {
  if (job.parentKey !== undefined || job.deduplicationId !== undefined || job.repeatJobKey !== undefined) return true
  return job.opts.removeOnComplete !== undefined
}

const AFTER_REFUSAL_MS = 500

const finishedWithoutNext = (): Finished => ({ result: undefined, finishedOn: Date.now() }) as unknown as Finished

type Rest<Method> = Method extends (first: never, second: never, ...rest: infer Others) => unknown ? Others : never
