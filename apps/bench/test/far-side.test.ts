import { expect, it } from 'vitest'
import { createJudge } from '../src/far-side/judge.ts'
import { messageAt } from '../src/messages.ts'

const body = (touser: string, number: number): string =>
  JSON.stringify({ ...messageAt({ kind: 'one', touser }, number), touser })

it('counts each message once, and those that come after a later one to the same person', () => {
  const { judge, state } = createJudge({ marksAt: [3, 4] })
  for (const [touser, number] of [
    ['a', 1],
    ['b', 2],
    ['a', 4],
    ['a', 3],
    ['a', 3],
  ] as const) {
    expect(judge(body(touser, number)).errcode).toBe(0)
  }
  const { marks, ...counts } = state()
  expect(counts).toEqual({ calls: 5, accepted: 4, disordered: 1, doubled: 1, apart: 0 })
  expect(marks.map(({ count }) => count)).toEqual([3, 4])
})

it('does not count what it refuses or keeps apart', () => {
  const { judge, state } = createJudge({ marksAt: [], busyShare: 1, apart: { touser: 'hot', latencyMs: 7 } })
  expect(judge(body('a', 1)).errcode).toBe(-1)
  expect(judge(body('hot', 2))).toEqual({ errcode: 0, latencyMs: 7 })
  expect(state()).toMatchObject({ calls: 2, accepted: 0, apart: 1 })
})

it('meets both sides with the same faults', () => {
  const plan = { marksAt: [], busyShare: 0.5, latencyMs: [20, 120] } as const
  const verdicts = (): unknown[] => {
    const { judge } = createJudge(plan)
    return Array.from({ length: 20 }, (_, number) => judge(body('a', number)))
  }
  expect(verdicts()).toEqual(verdicts())
})
