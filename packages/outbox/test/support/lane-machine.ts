/**
 * The lane protocol taken apart: the real functions, the real Redis and BullMQ's own fetch, driven one step at a time, so
 * that a test can put any other step, a lost lock or a crash between any two of them. Beside it stands what is known of
 * each message, and after every step the two are compared.
 */
import assert from 'node:assert/strict'
import { Job } from 'bullmq'
import { takeOverStalled } from '../../src/bullmq/stalled.ts'
import { createBurier } from '../../src/dead-letters/bury.ts'
import { cancelMessage } from '../../src/producer/cancel.ts'
import { createEnqueuer, type Enqueuer } from '../../src/producer/enqueue.ts'
import type { RedisClient } from '../../src/redis/connection.ts'
import { appKeys, SEND_QUEUE } from '../../src/redis/keys.ts'
import { createRun } from '../../src/worker/run.ts'
import type { Settled } from '../../src/worker/settler.ts'
import { SILENT, settlerOn } from './hand.ts'
import type { Command } from './lane-commands.ts'
import { checkEnds, checkLanes, join, newLedger, readStandings, type Standing } from './lane-ledger.ts'
import { begin, HOUR_MS, type LaneContext, LEASE_MS, nextStep, type Running, settled } from './lane-run.ts'
import type { RefusingRedis } from './refusing-redis.ts'
import { openKeeper, reasonOf, type World } from './world.ts'

type Fetch = Omit<Extract<Command, { do: 'fetch' }>, 'do'>

/** Far beyond what any sequence needs: a drain that does not end is a violation of its own. */
const DRAIN_STEPS_MAX = 3000

export class LaneMachine {
  readonly #at: LaneContext
  readonly #refusing: RefusingRedis
  readonly #enqueuer: Enqueuer
  #runs: Running[] = []
  #serial = 0
  /** Whether what is fetched may have its turn. */
  #isReady = false

  constructor(world: World, refusing: RefusingRedis, at: { appid: string; ifUnsure: 'send' | 'dead' }) {
    const { appid, ifUnsure } = at
    const burier = createBurier({
      appid,
      store: world.store,
      explain: (errmsg) => reasonOf({ errmsg }),
      explainExpiry: () => reasonOf(),
      onDead: () => undefined,
      onOccupied: (id) => assert.fail(`${id} is occupied`),
    })
    this.#refusing = refusing
    this.#at = {
      world,
      appid,
      keys: appKeys(appid),
      burier,
      settler: settlerOn(world.store, () => this.#isReady, { appid }),
      fetched: (run, said) => this.#goOn(run, said),
      ledger: newLedger(),
      ifUnsure,
    }
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
        return void (await this.#at.burier.sweep())
      case 'refuse': {
        const run = nth(
          this.#runs.filter(({ at }) => at === 'settle'),
          command.nth,
        )
        return run && this.#refuse(run, command.error)
      }
      case 'take': {
        const run = nth(
          this.#runs.filter(({ at }) => at === 'kept'),
          command.nth,
        )
        return run && this.#take(run)
      }
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
    const sendAt = scheduled ? { sendAt: Date.now() + HOUR_MS } : {}
    const data = { v: 1, touser: person, msgtype: 'text', text: { content: id }, ...sendAt } as const
    await this.#enqueuer.enqueue({ appid: this.#at.appid, id, data })
    this.#at.ledger.messages.push({ id, person, ...sendAt })
    if (!scheduled) join(this.#at.ledger, person, id)
  }

  async #fetch({ worker, answer, inOneStep }: Fetch): Promise<boolean> {
    this.#serial += 1
    const token = `worker-${worker}:${this.#serial}`
    this.#isReady = inOneStep
    const said = await this.#at.settler.settle({ kind: 'fetch', id: '', token, fetches: true })
    await this.#noteJoined()
    if (said.fetched === undefined) return false
    this.#begin(said, { token, worker, answer, inOneStep })
    return true
  }

  /** What the settlement of a run has fetched is the next of its worker. */
  async #goOn({ worker, answer, inOneStep, token }: Running, said: Settled): Promise<void> {
    await this.#noteJoined()
    // Who gives one message back for ever gets to no other.
    const next = answer === 'back' ? 'take' : answer
    if (said.fetched !== undefined) this.#begin(said, { token, worker, answer: next, inOneStep })
  }

  #begin({ fetched }: Settled, by: Pick<Running, 'token' | 'worker' | 'answer' | 'inOneStep'>): void {
    assert.ok(fetched)
    const { id, json } = fetched
    assert.ok(!this.#at.ledger.backingOff.has(id), `${id} is fetched out of its backoff`)
    const { world, appid, settler } = this.#at
    const at = { token: by.token, signal: new AbortController().signal }
    const job = Job.fromJSON(world.send as never, json, id) as Job
    const run = createRun(job, at, {
      appid,
      keys: appKeys(appid),
      store: world.store,
      leaseMs: LEASE_MS,
      keeper: openKeeper,
      settler,
      report: SILENT,
    })
    const waits = by.answer === 'wait'
    const attempts = [] as const
    this.#runs.push({
      ...by,
      id,
      run,
      at: waits ? 'settle' : 'admit',
      marked: fetched.tries !== undefined,
      took: false,
      settlement: { kind: 'snooze', delayMs: HOUR_MS, counts: false, attempts },
    })
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
    const cancellation = await cancelMessage(this.#at.world.store, { appid: this.#at.appid, id }, HOUR_MS)
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

  #interrupt({ id, marked, took, at }: Running): void {
    if (marked) this.#at.ledger.interrupted.add(id)
    if (took && (at === 'settle' || at === 'kept')) this.#at.ledger.cut.add(id)
  }

  #crash(worker: number): void {
    for (const run of this.#runs.filter((one) => one.worker === worker)) {
      this.#interrupt(run)
      this.#refusing.forget(run.token)
    }
    this.#runs = this.#runs.filter((one) => one.worker !== worker)
  }

  /** Redis answers with an error, and the settlement is kept; whatever comes next comes before it is recorded. */
  async #refuse(run: Running, error: string): Promise<void> {
    const { appid } = this.#at
    const kept = this.#refusing.settle(run.token, error, (settler) => begin({ ...this.#at, appid, settler }, run))
    const now = await kept.refused
    if (now !== undefined) {
      await settled(this.#at, run, now)
      run.at = 'ended'
      this.#runs = this.#runs.filter((one) => one !== run)
      return
    }
    run.at = 'kept'
  }

  async #take(run: Running): Promise<void> {
    await settled(this.#at, run, await this.#refusing.take(run.token))
    run.at = 'ended'
    this.#runs = this.#runs.filter((one) => one !== run)
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
      const backend = this.#at.world.store.backend(this.#at.appid, SEND_QUEUE)
      moved += (await takeOverStalled(backend, 1)).length
    }
    return moved
  }

  /** Compares Redis with what is known. Throws where they differ. */
  async check(): Promise<void> {
    await checkLanes(this.#at.world.redis, this.#at.keys, this.#at.ledger)
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
      await (run.at === 'kept' ? this.#take(run) : this.#step(run))
      return true
    }
    if (await this.#fetch({ worker: 0, answer: 'take', inOneStep: this.#serial % 2 === 0 })) return true
    if ((await this.#recover()) > 0) return true
    if ((await this.#at.burier.sweep()) > 0) return true
    return this.#elapse(0, false)
  }

  #read(): Promise<Map<string, Standing>> {
    return readStandings(this.#redis, this.#at.keys, this.#at.ledger)
  }

  get #redis(): RedisClient {
    return this.#at.world.redis
  }
}

/** One of a list by a number of any size, so that a sequence keeps its meaning when others are taken out of it. */
function nth<T>(list: readonly T[], number: number): T | undefined {
  return list[number % Math.max(1, list.length)]
}
