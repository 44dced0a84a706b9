import { describe, expect, it } from 'vitest'
import {
  check,
  type DeadLetter,
  deadLetterFilterSchema,
  matchesFilter,
  TASK_IDS_MAX,
  TASK_SIZE,
  taskRequestSchema,
} from '../src/index.ts'

const keyOf = (name: string): string | undefined => ({ 'reply-window-closed': '45015', expired: 'expired' })[name]
const filterSchema = deadLetterFilterSchema(keyOf)
const taskSchema = taskRequestSchema(keyOf)

const NOON = Date.UTC(2026, 10, 23, 12)

function letterOf(given: { errcode?: number | null; name?: string; touser?: string; deadAt?: number }): DeadLetter {
  const { errcode = 45015, name = 'reply-window-closed', touser = 'o-1', deadAt = NOON } = given
  return {
    v: 1,
    messageId: 'm-1',
    message: { v: 1, touser, msgtype: 'text', text: { content: 'x' } },
    reason: { errcode, name, errmsg: '', meaning: { en: '', zh: '' }, source: '' },
    attempts: [],
    acceptedAt: deadAt - 60_000,
    deadAt,
  } as DeadLetter
}

describe('a filter that comes in', () => {
  it.each([
    [{}, {}],
    [{ window: 'open' }, { window: ['open'] }],
    [{ window: ['used-up', 'closed', 'unknown'] }, { window: ['used-up', 'closed', 'unknown'] }],
    [{ errcode: 45015 }, { errcode: ['45015'] }],
    [{ errcode: ['45015', -1, 'reply-window-closed', 'expired'] }, { errcode: ['45015', '-1', '45015', 'expired'] }],
    [
      { touser: 'o-1', notTouser: ['o-2', 'o-3'] },
      { touser: ['o-1'], notTouser: ['o-2', 'o-3'] },
    ],
    [
      { since: '2026-11-23T12:00:00Z', until: NOON, acceptedSince: NOON, acceptedUntil: NOON + 1, limit: 5 },
      { since: NOON, until: NOON, acceptedSince: NOON, acceptedUntil: NOON + 1, limit: 5 },
    ],
  ])('%j is read', (given, expected) => {
    expect(check(given, filterSchema)).toEqual({ ok: true, value: expected })
  })

  it.each([
    [{ errcode: 'no-such-reason' }, 'errcode'],
    [{ errcode: [45015, 1.5] }, 'errcode'],
    [{ errcode: [] }, 'errcode'],
    [{ touser: ['o-1', 'a b'] }, 'touser.1'],
    [{ touser: 'a b' }, 'touser'],
    [{ touser: Array.from({ length: 1001 }, (_, n) => `o-${n}`) }, 'touser'],
    [{ since: 5 }, 'since'],
    [{ since: NOON, until: NOON - 1 }, 'since'],
    [{ acceptedSince: NOON, acceptedUntil: NOON - 1 }, 'acceptedSince'],
    [{ limit: 0 }, 'limit'],
    [{ window: 'shut' }, 'window'],
    [{ window: [] }, 'window'],
  ])('%j is refused with its path', (given, path) => {
    expect(check(given, filterSchema)).toMatchObject({ ok: false, problems: [{ path }] })
  })
})

describe('a task that is asked for', () => {
  it('has a filter or ids, and not both', () => {
    expect(check({ action: 'replay', filter: {} }, taskSchema).ok).toBe(true)
    expect(check({ action: 'discard', ids: ['d-1'], perSecond: 5, dryRun: true }, taskSchema).ok).toBe(true)
    for (const wrong of [{}, { filter: {}, ids: ['d-1'] }, { ids: [] }, { ids: ['m-1'] }, { filter: {}, perSecond: 0 }])
      expect(check({ action: 'replay', ...wrong }, taskSchema).ok).toBe(false)
    expect(check({ action: 'resend', filter: {} }, taskSchema)).toMatchObject({ problems: [{ path: 'action' }] })
  })

  it('may name as many ids as are allowed, of any length', () => {
    const ids = (count: number) => Array.from({ length: count }, (_, n) => `d-${String(n).padStart(64, '0')}`)
    expect(check({ action: 'replay', ids: ids(TASK_IDS_MAX) }, taskSchema, TASK_SIZE).ok).toBe(true)
    expect(check({ action: 'replay', ids: ids(TASK_IDS_MAX + 1) }, taskSchema, TASK_SIZE).ok).toBe(false)
  })
})

describe('a letter', () => {
  it.each([
    [{}, {}, true],
    [{ errcode: ['45047', '45015'] }, {}, true],
    [{ errcode: ['45047'] }, {}, false],
    [{ errcode: ['expired'] }, { errcode: null, name: 'expired' }, true],
    [{ errcode: ['retries-exhausted'] }, { errcode: -1, name: 'retries-exhausted' }, true],
    [{ touser: ['o-1'] }, {}, true],
    [{ touser: ['o-2'] }, {}, false],
    [{ notTouser: ['o-1'] }, {}, false],
    [{ touser: ['o-1'], notTouser: ['o-1'] }, {}, false],
    [{ since: NOON, until: NOON }, {}, true],
    [{ since: NOON + 1 }, {}, false],
    [{ until: NOON - 1 }, {}, false],
    [{ acceptedSince: NOON - 60_000, acceptedUntil: NOON - 60_000 }, {}, true],
    [{ acceptedSince: NOON - 59_999 }, {}, false],
    [{ acceptedUntil: NOON - 60_001 }, {}, false],
  ] as const)('is judged by %j', (filter, letter, expected) => {
    expect(matchesFilter(filter, letterOf(letter))).toBe(expected)
  })

  it('without a readable recipient is to nobody', () => {
    const letter = { ...letterOf({}), message: { unreadable: 'x' } }
    expect(matchesFilter({ touser: ['o-1'] }, letter)).toBe(false)
    expect(matchesFilter({ notTouser: ['o-1'] }, letter)).toBe(true)
  })
})
