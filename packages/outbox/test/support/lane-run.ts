/** The steps of one run: the real functions of a worker, each on its own. */

import assert from 'node:assert/strict'
import type { Burier } from '../../src/dead-letters/bury.ts'
import type { AppKeys } from '../../src/redis/keys.ts'
import type { OwnRun, Settlement } from '../../src/worker/run.ts'
import type { Settled, Settler } from '../../src/worker/settler.ts'
import type { Answer } from './lane-commands.ts'
import { checkTurn, join, type Ledger, messageOf, readStandings } from './lane-ledger.ts'
import type { LaneWindows } from './lane-windows.ts'
import { attemptMade, DELIVERED, dies, reasonOf, type World } from './world.ts'

export const LEASE_MS = 3_600_000
export const HOUR_MS = 3_600_000

type At = 'admit' | 'send' | 'unmark' | 'settle' | 'kept' | 'ended'

const WAITS: Settlement = {
  kind: 'await-user',
  attempts: [attemptMade({ outcome: 'waiting-for-user', errcode: 45015 })],
}
const REFUSED: Settlement = {
  kind: 'dead',
  reason: reasonOf(),
  attempts: [attemptMade({ outcome: 'dead', errcode: 45015 })],
  isWindows: true,
}

export interface Running {
  readonly worker: number
  readonly id: string
  readonly token: string
  readonly run: OwnRun
  readonly inOneStep: boolean
  /** The run has put its mark, or it came with the fetch. */
  marked: boolean
  answer: Answer
  at: At
  /** What the run came to, and is about to be settled. */
  settlement: Settlement
  /** WeChat has the message of this run. */
  took: boolean
  /** A settlement that Redis has refused, and that its settler keeps. */
  kept?: Promise<Settled>
}

export interface LaneContext {
  readonly world: World
  readonly appid: string
  readonly keys: AppKeys
  readonly burier: Burier
  readonly ledger: Ledger
  readonly windows: LaneWindows
  readonly settler: Settler
  /** Takes over what the settlement of a run has fetched. */
  readonly fetched: (run: Running, settled: Settled) => Promise<void>
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
      run.marked = false
      return (await run.run.unmark()) ? 'admit' : 'ended'
    case 'settle':
      await settled(at, run, await begin(at, run))
      return 'ended'
    case 'kept':
    case 'ended':
      return run.at
  }
}

/** Hands the settlement to the settler. It resolves when Redis has it. */
export function begin(at: LaneContext, run: Running): Promise<Settled> {
  const { item } = run.run.ending(run.settlement)
  return at.settler.settle({ ...item, fetches: run.inOneStep } as never)
}

/** What is known once Redis has a settlement. */
export async function settled(at: LaneContext, run: Running, said: Settled): Promise<void> {
  const { ledger } = at
  const { kind } = run.settlement
  const standing = (await readStandings(at.world.redis, at.keys, ledger)).get(run.id)
  if (kind === 'delivered' || said.outcome === 'settled') {
    // Too late where a later run has made a dead letter of it: then that is its end.
    if (standing?.exists) ledger.settled.add(run.id)
  }
  if (kind === 'snooze' && said.outcome === 'done') ledger.backingOff.add(run.id)
  // The run of the last call has the last word, also over a later run that waited for its app.
  else if (said.outcome !== 'gone') ledger.backingOff.delete(run.id)
  at.windows.checkDisagreement(messageOf(ledger, run.id).person, said.disagreement)
  await at.fetched(run, said)
}

async function admit(at: LaneContext, run: Running): Promise<At> {
  const message = messageOf(at.ledger, run.id)
  const turn = await run.run.admit({ touser: message.person, sendAt: message.sendAt })
  if (turn.kind === 'go' || turn.kind === 'park') join(at.ledger, message.person, run.id)
  switch (turn.kind) {
    case 'await-user':
      await at.windows.checkWait(message)
      run.settlement = turn
      return 'settle'
    case 'held':
      assert.fail(`${run.id} is held, and nothing holds the app`)
    case 'lost':
      return 'ended'
    case 'park':
    case 'settled':
      run.settlement = turn
      return 'settle'
    case 'snooze':
      return assert.fail(`${run.id} waits for a rate, and there is none`)
    case 'go': {
      if (!run.marked) {
        run.marked = true
        if (turn.interruptedMsAgo === undefined) await at.windows.checkTurn(message)
      }
      // One that came with the fetch may be old by now; no call is made without the lock.
      const lock = await at.world.redis.get(at.keys.sendLock(run.id))
      if (!run.inOneStep) assert.equal(lock, run.token, `${run.id} is admitted without its lock`)
      if (turn.interruptedMsAgo === undefined) return 'send'
      assert.ok(at.ledger.interrupted.has(run.id), `a run of ${run.id} counts as interrupted, and none was`)
      at.ledger.told.add(run.id)
      if (at.ifUnsure === 'send') return 'send'
      run.settlement = dies()
      return 'settle'
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
      run.settlement = {
        kind: 'snooze',
        delayMs: HOUR_MS,
        counts: run.answer !== 'wait',
        attempts: [attemptMade()],
      }
      return 'settle'
    case 'die':
      run.settlement = dies()
      return 'settle'
    case 'back':
      run.settlement = { kind: 'give-back' }
      return 'settle'
    case 'take': {
      checkTurn(run.id, at.ledger, {
        standings: await readStandings(at.world.redis, at.keys, at.ledger),
        ifUnsure: at.ifUnsure,
      })
      const message = messageOf(at.ledger, run.id)
      const window = await at.windows.ofCall(message)
      if (window.left > 0) {
        window.left -= 1
        at.ledger.taken.push(run.id)
        run.took = true
        run.settlement = DELIVERED
        return 'settle'
      }
      run.settlement = message.onClosed === 'hold' ? WAITS : REFUSED
      return 'settle'
    }
  }
}

/** The run is lost or its worker dead. */
export function interrupt({ ledger, windows }: LaneContext, { id, marked, took, at }: Running): void {
  if (marked) {
    ledger.interrupted.add(id)
    windows.interrupted(messageOf(ledger, id).person)
  }
  if (took && (at === 'settle' || at === 'kept')) ledger.cut.add(id)
}
