import { ATTEMPTS_MAX } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { appendHistory, attemptsOf, isWaiting, parseJson, readHistory, readJobHash } from '../../src/bullmq/job-hash.ts'
import { attemptMade, reasonOf } from '../support/world.ts'

const entry = (at: number) => ({ attempts: [attemptMade({ at })] })

describe('isWaiting', () => {
  it.each(['waiting', 'delayed', 'prioritized'])('takes %s for a state in which nobody works on the job', (state) => {
    expect(isWaiting(state)).toBe(true)
  })

  it.each(['active', 'completed', 'failed', 'waiting-children', 'unknown'])('takes %s for none', (state) => {
    expect(isWaiting(state)).toBe(false)
  })
})

describe('readJobHash', () => {
  it('reads nothing from nothing, and nothing from marks without a job', () => {
    expect(readJobHash({})).toBeNull()
    expect(readJobHash({ settled: 'delivered' })).toBeNull()
  })

  it('reads a job that has just been added', () => {
    expect(readJobHash({ name: 'text', data: '{"v":1}', timestamp: '5', delay: '7' })).toEqual({
      name: 'text',
      data: { v: 1 },
      timestamp: 5,
      delayMs: 7,
      finishedOn: 0,
      failedReason: '',
      settled: false,
      parked: false,
      awaitsUser: false,
      awaitsSince: 0,
      supersededBy: undefined,
      tries: 0,
      stalledCount: 0,
      history: [],
      returned: undefined,
      replayedAs: undefined,
    })
  })

  it('reads the marks and everything that runs have left', () => {
    const history = [{ attempts: [], reason: reasonOf() }]
    const job = readJobHash({
      name: 'text',
      data: 'not json',
      atm: '3',
      stc: '2',
      finishedOn: '9',
      failedReason: '45015 x',
      settled: 'delivered',
      parked: '1',
      stacktrace: JSON.stringify(history.map((one) => JSON.stringify(one))),
      returnvalue: '{"attempts":[]}',
      replayedAs: 'm-1-1',
    })
    expect(job).toMatchObject({
      data: undefined,
      tries: 3,
      stalledCount: 2,
      finishedOn: 9,
      failedReason: '45015 x',
      settled: true,
      parked: true,
      history,
      returned: { attempts: [] },
      replayedAs: 'm-1-1',
    })
  })
})

describe('the history', () => {
  it('passes over whatever is not ours', () => {
    const foreign = ['Error: x\n  at y', '{"a":1}', '[]', 'null', '7', 7, null, { attempts: [] }, '{"attempts":7}']
    expect(readHistory([...foreign, JSON.stringify(entry(1))])).toEqual([
      { attempts: [expect.objectContaining({ at: 1 })] },
    ])
    for (const nonsense of [undefined, null, 'text', 7, {}]) expect(readHistory(nonsense)).toEqual([])
  })

  it('comes back as it was appended', () => {
    const first = { attempts: [attemptMade({ at: 1, errmsg: '"quotes" 好' })] }
    const text = appendHistory(readHistory(parseJson(appendHistory([], first))), { attempts: [], reason: reasonOf() })
    expect(readHistory(parseJson(text))).toEqual([first, { attempts: [], reason: reasonOf() }])
  })

  it('keeps the newest runs and the newest attempts', () => {
    const many = Array.from({ length: ATTEMPTS_MAX + 10 }, (_, at) => entry(at))
    const kept = readHistory(parseJson(appendHistory(many, entry(1000))))
    expect(kept).toHaveLength(ATTEMPTS_MAX)
    expect(kept.at(-1)).toMatchObject({ attempts: [{ at: 1000 }] })
    expect(kept[0]).toMatchObject({ attempts: [{ at: 11 }] })
    const attempts = attemptsOf([{ attempts: many.flatMap((one) => one.attempts) }, entry(1000)])
    expect(attempts).toHaveLength(ATTEMPTS_MAX)
    expect(attempts.at(-1)?.at).toBe(1000)
  })

  it('keeps the last call that ended unsure, however many came after it', () => {
    const unsure = { attempts: [attemptMade({ at: 5, outcome: 'unsure' })] }
    const earlier = [{ attempts: [attemptMade({ at: 1, outcome: 'unsure' })] }, entry(2), unsure]
    const many = [...earlier, ...Array.from({ length: ATTEMPTS_MAX }, (_, at) => entry(10 + at))]
    const kept = readHistory(parseJson(appendHistory(many, entry(1000))))
    for (const attempts of [kept.flatMap((one) => one.attempts), attemptsOf(many)]) {
      expect(attempts).toHaveLength(ATTEMPTS_MAX)
      expect(attempts[0]).toMatchObject({ at: 5, outcome: 'unsure' })
      expect(attempts[1]?.outcome).not.toBe('unsure')
    }
    expect(kept.at(-1)).toMatchObject({ attempts: [{ at: 1000 }] })
  })
})

describe('parseJson', () => {
  it('never throws', () => {
    expect([undefined, null, '', '{', 'null', '{"a":1}'].map(parseJson)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      null,
      { a: 1 },
    ])
  })
})
