/** WeChat's side of reply windows for tests of the engine: what it would take, whatever the ledger knows. */
import { WINDOW_RULES_DEFAULT, type WindowAction } from '@wechat-outbox/messages'
import { recordAction } from '../../src/windows/ledger.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { APP, attemptMade, memberOf, reasonOf, touserOf, type World } from './world.ts'

export interface Truth {
  /** Ids that were taken, in order, and those that were refused. */
  readonly taken: string[]
  readonly refused: string[]
  /** How many more WeChat takes for a person; without a word it takes all. */
  allow(touser: string, count: number): void
  /** Called while a call is open. */
  duringCall: (run: Run) => Promise<void>
  readonly deliver: (run: Run) => Promise<Settlement>
}

export function createTruth(onClosed: (run: Run) => 'hold' | 'dead-letter' = policyOf): Truth {
  const left = new Map<string, number>()
  const truth: Truth = {
    taken: [],
    refused: [],
    allow: (touser, count) => void left.set(touser, count),
    duringCall: () => Promise.resolve(),
    async deliver(run) {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      const remaining = left.get(touserOf(run)) ?? Infinity
      await truth.duringCall(run)
      if (remaining > 0) {
        left.set(touserOf(run), remaining - 1)
        truth.taken.push(run.id)
        return { kind: 'delivered', attempts: [attemptMade()] }
      }
      truth.refused.push(run.id)
      if (onClosed(run) === 'hold') {
        return { kind: 'await-user', attempts: [attemptMade({ outcome: 'waiting-for-user', errcode: 45015 })] }
      }
      const attempts = [attemptMade({ outcome: 'dead', errcode: 45015 })]
      return { kind: 'dead', reason: reasonOf(), attempts, isWindows: true }
    },
  }
  return truth
}

const policyOf = (run: Run): 'hold' | 'dead-letter' =>
  (run.data as { onClosed?: string }).onClosed === 'hold' ? 'hold' : 'dead-letter'

export const acts = (world: World, touser: string, action: WindowAction = 'message', more: { at?: number } = {}) =>
  recordAction(world.store, APP, { touser, action, ...more, rule: WINDOW_RULES_DEFAULT[action] })
