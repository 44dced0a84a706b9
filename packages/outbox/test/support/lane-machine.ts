/**
 * The lane protocol taken apart: the real functions, the real Redis and BullMQ's own fetch, driven one step at a time, so
 * that a test can put any other step, a lost lock or a crash between any two of them. Beside it stands what is known of
 * each message, and after every step the two are compared.
 */
import assert from 'node:assert/strict'
import { createRedisBackend, type Job, Worker } from 'bullmq'
import { createMover } from '../../src/dead-letters/mover.ts'
import { healLanes } from '../../src/lanes/heal.ts'
import { cancelMessage } from '../../src/producer/cancel.ts'
import { createEnqueuer, type Enqueuer } from '../../src/producer/enqueue.ts'
import type { RedisClient } from '../../src/redis/connection.ts'
import { appKeys, appPrefix, SEND_QUEUE } from '../../src/redis/keys.ts'
import { createHandover } from '../../src/worker/handover.ts'
import { createRun, PARK_MS } from '../../src/worker/run.ts'
import type { Command } from './lane-commands.ts'
import { checkEnds, checkLanes, join, newLedger, readStandings, type Standing } from './lane-ledger.ts'
import { HOUR_MS, type LaneContext, LEASE_MS, nextStep, type Running } from './lane-run.ts'
import { openKeeper, reasonOf, type World } from './world.ts'

type Fetch = Omit<Extract<Command, { do: 'fetch' }>, 'do'>
type Fetched = Awaited<ReturnType<Job['moveToCompleted']>>

/** Far beyond what any sequence needs: a drain that does not end is a violation of its own. */
const DRAIN_STEPS_MAX = 3000

export class LaneMachine {
  readonly #at: LaneContext
  readonly #worker: Worker
  readonly #enqueuer: Enqueuer
  #runs: Running[] = []
  #serial = 0
  /** Whether what is fetched may have its turn. */
  #isReady = false

  constructor(world: World, appid: string, ifUnsure: 'send' | 'dead') {
    const isReady = (): boolean => this.#isReady
    const handover = createHandover({ appid, store: world.store, isReady, parkMs: PARK_MS })
    const opts = {
      connection: world.redis,
      prefix: appPrefix(appid),
      autorun: false,
      lockDuration: LEASE_MS,
      skipLockRenewal: true,
      skipStalledCheck: true,
      maxStalledCount: 1_000_000,
    }
    this.#worker = new Worker(SEND_QUEUE, undefined, opts, (...made) => handover.aboard(createRedisBackend(...made)))
    this.#worker.on('error', () => undefined)
    const mover = createMover({
      appid,
      judge: world.judge,
      explain: (errmsg) => reasonOf({ errmsg }),
      explainExpiry: () => reasonOf(),
      onDead: () => undefined,
      onOccupied: (id) => assert.fail(`${id} is occupied`),
    })
    const keys = appKeys(appid)
    const fetched = (run: Running, next: unknown): Promise<void> => this.#goOn(run, next as Fetched)
    this.#at = { world, appid, keys, mover, handover, fetched, ledger: newLedger(), ifUnsure }
    this.#enqueuer = createEnqueuer(() => Promise.resolve(world.store))
  }

  async apply(command: Command): Promise<void> {
    switch (command.do) {
      case 'enqueue':
        return this.#enqueue(`o-${command.person}`, command.scheduled)
      case 'fetch':
        return void (await this.#fetch(command))
      case 'step': {
        const run = nth(this.#runs, command.nth)
        return run && this.#step(run)
      }
      case 'cancel': {
        const message = nth(this.#at.ledger.messages, command.nth)
        return message && this.#cancel(message.id)
      }
      case 'due':
        return void (await this.#elapse(command.nth, false))
      case 'minute':
        return void (await this.#elapse(command.nth, true))
      case 'sweep':
        return void (await this.#at.mover.sweep(this.#at.world.store))
      case 'lapse': {
        const run = nth(this.#runs, command.nth)
        return run && this.#lapse(run)
      }
      case 'crash':
        return this.#crash(command.worker)
      case 'recover':
        return void (await this.#recover())
    }
  }

  async #enqueue(person: string, scheduled: boolean): Promise<void> {
    const id = `m-${this.#at.ledger.messages.length}`
    const acceptedAt = Date.now()
    const sendAt = scheduled ? { sendAt: acceptedAt + HOUR_MS } : {}
    const data = { v: 1, touser: person, msgtype: 'text', text: { content: id }, ...sendAt } as const
    await this.#enqueuer.enqueue({ appid: this.#at.appid, id, data, acceptedAt })
    this.#at.ledger.messages.push({ id, person, ...sendAt })
    if (!scheduled) join(this.#at.ledger, person, id)
  }

  async #fetch({ worker, answer, inOneStep }: Fetch): Promise<boolean> {
    this.#serial += 1
    const token = `worker-${worker}:${this.#serial}`
    this.#isReady = inOneStep
    const job: Job | undefined = await this.#worker.getNextJob(token, { block: false })
    await this.#noteJoined()
    if (job === undefined) return false
    this.#begin(job, { token, worker, answer, inOneStep })
    return true
  }

  /** What the completion of a run's job has fetched is the next of its worker. */
  async #goOn({ worker, answer, inOneStep, token }: Running, next: Fetched): Promise<void> {
    await this.#noteJoined()
    if (!Array.isArray(next) || !next[0]) return
    const job = await this.#worker['nextJobFromJobData'](next[0], next[1], token)
    if (job !== undefined) this.#begin(job, { token, worker, answer, inOneStep })
  }

  #begin(job: Job, by: Pick<Running, 'token' | 'worker' | 'answer' | 'inOneStep'>): void {
    const id = String(job.id)
    this.#at.ledger.unlooked.delete(id)
    assert.ok(!this.#at.ledger.backingOff.has(id), `${id} is fetched out of its backoff`)
    const { world, appid, handover } = this.#at
    const at = { token: by.token, signal: new AbortController().signal }
    const run = createRun(job, at, { appid, store: world.store, leaseMs: LEASE_MS, keeper: openKeeper, handover })
    const first = by.answer === 'wait' ? 'delay' : 'admit'
    this.#runs.push({ ...by, id, job, run, at: first, value: undefined, look: async () => undefined })
  }

  /** Scheduled messages that are due join their lanes at the end, in the step that fetches or parks them. */
  async #noteJoined(): Promise<void> {
    for (const person of new Set(this.#at.ledger.messages.map((message) => message.person))) {
      for (const id of await this.#redis.lrange(this.#at.keys.lane(person), '0', '-1')) {
        join(this.#at.ledger, person, id)
      }
    }
  }

  async #step(run: Running): Promise<void> {
    run.at = await nextStep(this.#at, run)
    if (run.at === 'ended') this.#runs = this.#runs.filter((one) => one !== run)
  }

  async #cancel(id: string): Promise<void> {
    const { judge } = this.#at.world
    const cancellation = await cancelMessage(judge, { appid: this.#at.appid, id }, HOUR_MS)
    if (cancellation !== 'cancelled') return
    assert.ok(!this.#at.ledger.taken.includes(id), `${id} is cancelled, and WeChat has it`)
    this.#at.ledger.cancelled.add(id)
  }

  /** Brings the time of one delayed message forward to now. */
  async #elapse(at: number, parked: boolean): Promise<boolean> {
    const state = await this.#read()
    const waiting = this.#at.ledger.messages.filter(
      ({ id }) => state.get(id)?.delayed && state.get(id)?.parked === parked,
    )
    const one = nth(waiting, at)
    if (one === undefined) return false
    this.#at.ledger.backingOff.delete(one.id)
    await this.#redis.zadd(this.#at.keys.sendDelayed, 1, one.id)
    return true
  }

  async #lapse(run: Running): Promise<void> {
    if ((await this.#redis.get(this.#at.keys.sendLock(run.id))) !== run.token) return
    this.#interrupt(run)
    await this.#redis.del(this.#at.keys.sendLock(run.id))
    await this.#moveStalled()
  }

  #interrupt({ id, run, at }: Running): void {
    if (run.holder().marked) this.#at.ledger.interrupted.add(id)
    if (at === 'settle') this.#at.ledger.cut.add(id)
  }

  #crash(worker: number): void {
    for (const run of this.#runs.filter((one) => one.worker === worker)) {
      this.#interrupt(run)
      if (run.at === 'look') this.#at.ledger.unlooked.add(run.id)
    }
    this.#runs = this.#runs.filter((one) => one.worker !== worker)
  }

  /** The locks of runs that are no more lapse, and BullMQ gives their jobs back. */
  async #recover(): Promise<number> {
    const held = new Set(this.#runs.map(({ token }) => token))
    for (const { id } of this.#at.ledger.messages) {
      const token = await this.#redis.get(this.#at.keys.sendLock(id))
      if (token !== null && !held.has(token)) await this.#redis.del(this.#at.keys.sendLock(id))
    }
    return this.#moveStalled()
  }

  /** BullMQ takes a job back at its second look, so it looks twice; what keeps looks apart in time is put aside. */
  async #moveStalled(): Promise<number> {
    let moved = 0
    for (let looks = 0; looks < 2; looks += 1) {
      await this.#redis.del(`${this.#at.keys.sendJobs}stalled-check`)
      moved += (await this.#worker.getBackend().moveStalledJobsToWait()).length
    }
    return moved
  }

  /** Compares Redis with what is known. Throws where they differ. */
  async check(): Promise<void> {
    const looking = this.#runs.filter(({ at }) => at === 'look').map(({ id }) => id)
    await checkLanes(this.#at.world.redis, this.#at.keys, { ledger: this.#at.ledger, looking })
  }

  /** Runs everything to its end and judges it. */
  async finish(): Promise<void> {
    let steps = 0
    while (await this.#drain()) {
      await this.check()
      steps += 1
      assert.ok(steps < DRAIN_STEPS_MAX, 'it does not come to an end')
    }
    await checkEnds(this.#at.world.redis, this.#at.keys, this.#at.ledger)
  }

  /** One step towards the end; false when there is none left. */
  async #drain(): Promise<boolean> {
    const [run] = this.#runs
    if (run !== undefined) {
      await this.#step(run)
      return true
    }
    if (await this.#fetch({ worker: 0, answer: 'take', inOneStep: this.#serial % 2 === 0 })) return true
    if ((await this.#recover()) > 0) return true
    if ((await this.#at.mover.sweep(this.#at.world.store)) > 0) return true
    if (await this.#elapse(0, false)) return true
    if (this.#at.ledger.unlooked.size === 0) return false
    // From here on whoever is first and parked is a violation: the sweep has to find it, and no parked time passes.
    await healLanes(this.#at.world.store, this.#at.appid, 0)
    this.#at.ledger.unlooked.clear()
    return true
  }

  #read(): Promise<Map<string, Standing>> {
    return readStandings(this.#redis, this.#at.keys, this.#at.ledger)
  }

  get #redis(): RedisClient {
    return this.#at.world.redis
  }

  async close(): Promise<void> {
    await this.#worker.close(true)
  }
}

/** One of a list by a number of any size, so that a sequence keeps its meaning when others are taken out of it. */
function nth<T>(list: readonly T[], number: number): T | undefined {
  return list[number % Math.max(1, list.length)]
}
