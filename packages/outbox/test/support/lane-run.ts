/** The steps of one run: the real functions of a worker, each on its own. */

import assert from 'node:assert/strict'
import type { Job } from 'bullmq'
import type { Mover } from '../../src/dead-letters/mover.ts'
import type { RedisClient } from '../../src/redis/connection.ts'
import type { AppKeys } from '../../src/redis/keys.ts'
import type { Handover } from '../../src/worker/handover.ts'
import { type OwnRun, type Settlement, settle as settleRun } from '../../src/worker/run.ts'
import type { Answer } from './lane-commands.ts'
import { checkTurn, join, type Ledger, messageOf, readStandings } from './lane-ledger.ts'
import { attemptMade, dies, type World } from './world.ts'

export const LEASE_MS = 3_600_000
export const HOUR_MS = 3_600_000

type At = 'admit' | 'send' | 'unmark' | 'settle' | 'complete' | 'delay' | 'fail' | 'move' | 'park' | 'look' | 'ended'

export interface Running {
  readonly worker: number
  readonly id: string
  readonly job: Job
  readonly token: string
  readonly run: OwnRun
  readonly inOneStep: boolean
  answer: Answer
  at: At
  value: unknown
  /** Lets the look after parking happen, and waits for its end. */
  look: () => Promise<void>
}

export interface LaneContext {
  readonly world: World
  readonly appid: string
  readonly keys: AppKeys
  readonly mover: Mover
  readonly ledger: Ledger
  readonly handover: Handover
  /** Takes over what the completion of a run's job has fetched. */
  readonly fetched: (run: Running, next: unknown) => Promise<void>
  /** Whether a run that is told of an interrupted one sends again or gives the message up. */
  readonly ifUnsure: 'send' | 'dead'
}

export async function nextStep(at: LaneContext, run: Running): Promise<At> {
  switch (run.at) {
    case 'admit':
      return admit(at, run)
    case 'send':
      return send(at, run)
    case 'unmark':
      run.answer = 'take'
      return (await run.run.unmark()) ? 'admit' : 'ended'
    case 'settle':
      run.value = await settle(at, run, { kind: 'delivered', attempts: [attemptMade()] })
      if (run.inOneStep) await completeAndFetch(at, run)
      // Too late where a later run has made a dead letter of it: then that is its end.
      if ((await readStandings(at.world.redis, at.keys, at.ledger)).get(run.id)?.exists) at.ledger.settled.add(run.id)
      return run.inOneStep ? 'ended' : 'complete'
    case 'complete':
      await unlessLost(run.job.moveToCompleted(run.value, run.token, false))
      return 'ended'
    case 'delay':
      await settle(at, run, {
        kind: 'later',
        delayMs: HOUR_MS,
        counts: run.answer !== 'wait',
        attempts: [attemptMade()],
      })
      await noteDelay(at, run.id)
      return 'ended'
    case 'fail': {
      const error = await settle(at, run, dies())
      return (await unlessLost(run.job.moveToFailed(error as Error, run.token, false))) ? 'move' : 'ended'
    }
    case 'move':
      await at.mover.move(run.id)
      return 'ended'
    case 'park':
      return park(at, run)
    case 'look':
      await run.look()
      return 'ended'
    case 'ended':
      return 'ended'
  }
}

async function completeAndFetch(at: LaneContext, run: Running): Promise<void> {
  await unlessLost(run.job.moveToCompleted(run.value, run.token, true).then((next) => at.fetched(run, next)))
}

/** A mark from an earlier parking may still stand, and then it is not a backoff that others respect. */
async function noteDelay(at: LaneContext, id: string): Promise<void> {
  const { delayed, parked } = (await readStandings(at.world.redis, at.keys, at.ledger)).get(id) ?? {}
  if (delayed) (parked ? at.ledger.unlooked : at.ledger.backingOff).add(id)
}

async function admit(at: LaneContext, run: Running): Promise<At> {
  const message = messageOf(at.ledger, run.id)
  const turn = await run.run.admit({ touser: message.person, sendAt: message.sendAt })
  if (turn.kind === 'go' || turn.kind === 'park') join(at.ledger, message.person, run.id)
  switch (turn.kind) {
    case 'held':
      assert.fail(`${run.id} is held, and nothing holds the app`)
    case 'lost':
      return 'ended'
    case 'park':
      return 'park'
    case 'settled':
      run.value = await settle(at, run, { kind: 'settled' })
      return 'complete'
    case 'later':
      return assert.fail(`${run.id} waits for a rate, and there is none`)
    case 'go': {
      // One that came with the fetch may be old by now; no call is made without the lock.
      const lock = await at.world.redis.get(at.keys.sendLock(run.id))
      if (!run.inOneStep) assert.equal(lock, run.token, `${run.id} is admitted without its lock`)
      if (turn.interruptedMsAgo === undefined) return 'send'
      assert.ok(at.ledger.interrupted.has(run.id), `a run of ${run.id} counts as interrupted, and none was`)
      at.ledger.told.add(run.id)
      return at.ifUnsure === 'dead' ? 'fail' : 'send'
    }
  }
}

/** No call is made without its lease, as a worker makes none. */
async function send(at: LaneContext, run: Running): Promise<At> {
  if ((await at.world.redis.get(at.keys.sendLock(run.id))) !== run.token) return 'ended'
  switch (run.answer) {
    case 'token':
      return 'unmark'
    case 'wait':
    case 'retry':
      return 'delay'
    case 'die':
      return 'fail'
    case 'take': {
      checkTurn(run.id, at.ledger, {
        standings: await readStandings(at.world.redis, at.keys, at.ledger),
        ifUnsure: at.ifUnsure,
      })
      at.ledger.taken.push(run.id)
      return 'settle'
    }
  }
}

/** Parks up to the look, which is held back until its own step: whatever happens meanwhile happens in between. */
async function park(at: LaneContext, run: Running): Promise<At> {
  const { store } = at.world
  const reached = Promise.withResolvers<'look'>()
  const open = Promise.withResolvers<void>()
  const look = (at.world.redis as unknown as Record<string, (...args: unknown[]) => unknown>)['wxo:look']
  const redis = Object.create(at.world.redis, {
    'wxo:look': {
      value: async (...args: unknown[]) => {
        reached.resolve('look')
        await open.promise
        return look?.apply(at.world.redis, args)
      },
    },
  }) as RedisClient
  const gated = { ...at, world: { ...at.world, store: { ...store, redis } } }
  const ended = settle(gated, run, { kind: 'park' }).then(() => 'ended' as const)
  run.look = async () => {
    open.resolve()
    await ended
  }
  return Promise.race([reached.promise, ended])
}

/** What `settle` returns, or the control error that it throws at BullMQ. */
async function settle(at: LaneContext, run: Running, settlement: Settlement): Promise<unknown> {
  const holder = { token: run.token, touser: messageOf(at.ledger, run.id).person, marked: run.run.holder().marked }
  const handover = run.inOneStep ? at.handover : undefined
  const options = { appid: at.appid, store: at.world.store, settlement, handover }
  try {
    return await settleRun(run.job, holder, options)
  } catch (error) {
    const isControl = error instanceof Error && ['DelayedError', 'UnrecoverableError'].includes(error.name)
    if (!isControl) throw error
    return error
  }
}

/** False where BullMQ refuses because the lock is lost or the job is no longer active. */
async function unlessLost(step: Promise<unknown>): Promise<boolean> {
  try {
    await step
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && [-1, -2, -3, -6].includes(Number(error.code))) return false
    throw error
  }
}
