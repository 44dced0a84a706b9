/**
 * The lane protocol taken apart: the real functions, the real Redis and BullMQ's own fetch, driven one step at a time, so
 * that a test can put any other step, a lost lock or a crash between any two of them. Beside it stands what is known of
 * each message, and after every step the two are compared.
 */
import assert from 'node:assert/strict'
import { Job } from 'bullmq'
import { createBurier } from '../../src/dead-letters/bury.ts'
import { cancelMessage } from '../../src/producer/cancel.ts'
import { createEnqueuer, type Enqueuer } from '../../src/producer/enqueue.ts'
import type { RedisClient } from '../../src/redis/connection.ts'
import { appKeys } from '../../src/redis/keys.ts'
import { createRun } from '../../src/worker/run.ts'
import type { Settled } from '../../src/worker/settler.ts'
import { giveStalledBack, SILENT, settlerOn } from './hand.ts'
import { type Command, type EnqueueCommand, nth, personOf } from './lane-commands.ts'
import { checkEnds, checkLanes, join, messageOf, newLedger, readStandings, supersede } from './lane-ledger.ts'
import { begin, HOUR_MS, interrupt, type LaneContext, LEASE_MS, nextStep, type Running, settled } from './lane-run.ts'
import { LaneWindows } from './lane-windows.ts'
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
      windows: new LaneWindows(world, appid, appKeys(appid)),
      ifUnsure,
    }
    this.#enqueuer = createEnqueuer(() => Promise.resolve(world.store))
  }

  async apply(command: Command): Promise<void> {
    switch (command.do) {
      case 'enqueue':
        return this.#enqueue(command)
      case 'act':
        return this.#at.windows.act(personOf(command), command)
      case 'close':
        return this.#at.windows.close(personOf(command), command.by)
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
        return void (await this.#elapse(command.nth, (parked) => parked !== '1'))
      case 'minute':
        return void (await this.#elapse(command.nth, (parked) => parked === '1'))
      case 'sweep':
        return void (await this.#at.burier.sweep())
      case 'refuse': {
        const run = this.#nthAt('settle', command.nth)
        return run && this.#refuse(run, command.error)
      }
      case 'take': {
        const run = this.#nthAt('kept', command.nth)
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

  async #enqueue(command: EnqueueCommand): Promise<void> {
    const { appid, keys, ledger } = this.#at
    const { scheduled, onClosed, collapseKey } = command
    const person = personOf(command)
    const id = `m-${ledger.messages.length}`
    const sendAt = scheduled ? { sendAt: Date.now() + HOUR_MS } : {}
    const data = { v: 1, touser: person, msgtype: 'text', text: { content: id }, ...sendAt } as const
    await this.#enqueuer.enqueue({ appid, id, data, onClosed, collapseKey })
    const message = { id, person, onClosed, collapseKey, ...sendAt }
    const rival = ledger.messages.findLast((one) => one.person === person && one.collapseKey === collapseKey)
    if (rival && collapseKey && (await this.#redis.hget(keys.sendJob(rival.id), 'supersededBy')) === id) {
      supersede(ledger, rival.id, message)
    }
    ledger.messages.push(message)
    if (!scheduled) join(ledger, person, id)
  }

  async #fetch({ worker, answer, inOneStep }: Fetch): Promise<boolean> {
    this.#serial += 1
    const token = `worker-${worker}:${this.#serial}`
    this.#isReady = inOneStep
    const said = await this.#at.settler.settle({ kind: 'fetch', id: '', token, fetches: true })
    await this.#noteJoined()
    if (said.fetched === undefined) return false
    await this.#begin(said, { token, worker, answer, inOneStep })
    return true
  }

  /** What the settlement of a run has fetched is the next of its worker. */
  async #goOn({ worker, answer, inOneStep, token }: Running, said: Settled): Promise<void> {
    await this.#noteJoined()
    // Who gives one message back for ever gets to no other.
    const next = answer === 'back' ? 'take' : answer
    if (said.fetched !== undefined) await this.#begin(said, { token, worker, answer: next, inOneStep })
  }

  async #begin({ fetched }: Settled, by: Pick<Running, 'token' | 'worker' | 'answer' | 'inOneStep'>): Promise<void> {
    assert.ok(fetched)
    const { id, json } = fetched
    const { world, appid, settler, windows, ledger } = this.#at
    assert.ok(!ledger.backingOff.has(id), `${id} is fetched out of its backoff`)
    if (fetched.tries !== undefined) await windows.checkTurn(messageOf(ledger, id))
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
  async #elapse(at: number, isMeant: (parked: string | null) => boolean): Promise<boolean> {
    const { keys, ledger } = this.#at
    const state = await readStandings(this.#redis, keys, ledger)
    const waiting = ledger.messages.filter(({ id }) => {
      const { delayed = false, parked = null } = state.get(id) ?? {}
      return delayed && isMeant(parked)
    })
    const one = nth(waiting, at)
    if (one === undefined) return false
    ledger.backingOff.delete(one.id)
    await this.#redis.zadd(keys.sendDelayed, 1, one.id)
    return true
  }

  async #lapse(run: Running): Promise<void> {
    if ((await this.#redis.get(this.#at.keys.sendLock(run.id))) !== run.token) return
    interrupt(this.#at, run)
    await this.#redis.del(this.#at.keys.sendLock(run.id))
    await giveStalledBack(this.#at.world, this.#at.appid)
  }

  #crash(worker: number): void {
    for (const run of this.#runs.filter((one) => one.worker === worker)) {
      interrupt(this.#at, run)
      this.#refusing.forget(run.token)
    }
    this.#runs = this.#runs.filter((one) => one.worker !== worker)
  }

  /** Redis answers with an error, and the settlement is kept; whatever comes next comes before it is recorded. */
  async #refuse(run: Running, error: string): Promise<void> {
    const { appid } = this.#at
    const kept = this.#refusing.settle(run.token, error, (settler) => begin({ ...this.#at, appid, settler }, run))
    const now = await kept.refused
    if (now === undefined) run.at = 'kept'
    else await this.#end(run, now)
  }

  async #take(run: Running): Promise<void> {
    await this.#end(run, await this.#refusing.take(run.token))
  }

  async #end(run: Running, said: Settled): Promise<void> {
    await settled(this.#at, run, said)
    run.at = 'ended'
    this.#runs = this.#runs.filter((one) => one !== run)
  }

  #nthAt(at: Running['at'], number: number): Running | undefined {
    return nth(
      this.#runs.filter((run) => run.at === at),
      number,
    )
  }

  /** The locks of runs that are no more lapse, and BullMQ gives their jobs back. */
  async #recover(): Promise<number> {
    const held = new Set(this.#runs.map(({ token }) => token))
    for (const { id } of this.#at.ledger.messages) {
      const token = await this.#redis.get(this.#at.keys.sendLock(id))
      if (token !== null && !held.has(token)) await this.#redis.del(this.#at.keys.sendLock(id))
    }
    return giveStalledBack(this.#at.world, this.#at.appid)
  }

  /** Compares Redis with what is known. Throws where they differ. */
  async check(): Promise<void> {
    await this.#at.windows.checkAwaiting(await checkLanes(this.#redis, this.#at.keys, this.#at.ledger))
  }

  /** Runs everything to its end and judges it. */
  async finish(): Promise<void> {
    let steps = 0
    while (await this.#drain()) {
      await this.check()
      steps += 1
      assert.ok(steps < DRAIN_STEPS_MAX, 'it does not come to an end')
    }
    await checkEnds(this.#redis, this.#at.keys, this.#at.ledger)
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
    if (await this.#elapse(0, (parked) => parked !== '1' && parked !== 'user')) return true
    const [waiting] = await this.#redis.zrange(this.#at.keys.sendAwaitingUser, '0', '0')
    if (waiting === undefined) return false
    await this.#at.windows.act(messageOf(this.#at.ledger, waiting).person, { action: 'message', how: 'reported' })
    return true
  }

  get #redis(): RedisClient {
    return this.#at.world.redis
  }
}
