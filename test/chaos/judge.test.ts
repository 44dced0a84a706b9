import type { SendEntry } from '@wechat-outbox/fake-wechat'
import type { StatusReport } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import type { Acted } from '../e2e/support/windows-judge.ts'
import type { Books } from './support/collect.ts'
import { type Evidence, judge } from './support/judge.ts'
import type { PlannedMessage } from './support/plan.ts'
import { parseBook } from './support/producer-book.ts'

const NOW = 1_000_000
const message = (key: string, more: Partial<PlannedMessage> = {}): PlannedMessage => ({ key, touser: 'o-a', ...more })
const taken = (...keys: string[]) =>
  keys.map((key, index) => ({ seq: index + 1, at: NOW + index, rawBody: JSON.stringify({ text: { content: key } }) }))
const status = (key: string, more: Partial<StatusReport> = {}): [string, StatusReport] => [
  `m-${key}`,
  {
    id: `m-${key}`,
    status: 'delivered',
    appid: 'wx',
    touser: 'o-a',
    msgtype: 'text',
    acceptedAt: '',
    attempts: [],
    ...more,
  },
]
const UNSURE = { attempts: [{ at: NOW, outcome: 'unsure' as const, ms: 1 }] }
const FAULT = { kind: 'wechat-reset', from: NOW, until: NOW, open: 16 } as const
const REFUSAL = { kind: 'refuse-readonly', from: NOW, until: NOW + 900, open: 0, refused: 7 } as const
const NOTHING_LEFT = { open: {}, lanes: [], locks: [] }

/** Two messages, one after the other, that went well; a test says what went otherwise. */
function evidence(
  change: Partial<Omit<Evidence, 'books'>> & { books?: Partial<Books>; messages?: PlannedMessage[] } = {},
): Evidence {
  const { books, messages = [message('a'), message('b')], ...rest } = change
  return {
    plan: {
      producers: [{ name: 'p', bursts: messages.map((one) => [one]) }],
      messages: new Map(messages.map((one) => [one.key, one])),
    },
    producers: [parseBook('calling a\nacked a m-a new\ncalling b\nacked b m-b new\n')],
    accepted: taken('a', 'b'),
    fired: [],
    stranded: [],
    unsureLogged: new Map(),
    ...rest,
    books: {
      leftovers: NOTHING_LEFT,
      jobs: 2,
      deadLetters: [],
      statuses: new Map([status('a'), status('b')]),
      ...books,
    },
  }
}

const complaints = (given: Evidence): string[] =>
  judge(given).violations.map(({ key = '', what }) => `${key} ${what}`.trim())

describe('the judge of a chaos run', () => {
  it('finds nothing in a run that went well', () => {
    const { violations, figures } = judge(evidence())
    expect(violations).toEqual([])
    expect(figures).toMatchObject({ acknowledged: 2, delivered: 2, orderedPairs: 1, outOfOrder: 0, doubles: 0 })
  })

  it('sees an acknowledged message that nobody knows any more', () => {
    const lost = evidence({ accepted: taken('a'), books: { jobs: 1, statuses: new Map([status('a'), ['m-b', null]]) } })
    expect(complaints(lost)).toEqual(['b has not ended: nobody knows it (m-b)'])
  })

  it('sees a message that the books call delivered and WeChat never took', () => {
    expect(complaints(evidence({ accepted: taken('a') }))).toEqual([
      'b is delivered in the books, and WeChat never took it (m-b)',
    ])
  })

  it('sees two messages in the wrong order', () => {
    expect(complaints(evidence({ accepted: taken('b', 'a') }))).toEqual(['b reached WeChat (1) before a (2)'])
  })

  it('claims no order for a message called before the one ahead of it was acknowledged', () => {
    const producers = [parseBook('calling a\ncalling b\nacked a m-a new\nacked b m-b new\n')]
    expect(complaints(evidence({ producers, accepted: taken('b', 'a') }))).toEqual([])
  })

  it('claims the order of a burst unless one of its calls was repeated', () => {
    const burst = [message('a'), message('b')]
    const { messages } = evidence().plan
    const plan = { producers: [{ name: 'p', bursts: [burst] }], messages }
    const clean = [parseBook('calling a\ncalling b\nacked a m-a new\nacked b m-b new\n')]
    const repeated = [
      parseBook('calling a\ncalling b\nrejected a WXO_UNAVAILABLE\nacked b m-b new\ncalling a\nacked a m-a new\n'),
    ]
    expect(complaints(evidence({ plan, producers: clean, accepted: taken('b', 'a') }))).toHaveLength(1)
    expect(complaints(evidence({ plan, producers: repeated, accepted: taken('b', 'a') }))).toEqual([])
  })

  it('sees a call that began after the message had ended', () => {
    const ended = new Date(NOW - 1000).toISOString()
    const books = { statuses: new Map([status('a', { settledAt: ended }), status('b')]) }
    expect(complaints(evidence({ books }))).toEqual(['a reached WeChat 1000 ms after it had ended'])
    const fired = [{ ...FAULT, kind: 'wechat-stall' as const }]
    expect(complaints(evidence({ books, fired }))).toEqual([])
  })

  it('forgives a double that comes late, of a call that a fault left unsure', () => {
    const books = { statuses: new Map([status('a', UNSURE), status('b')]) }
    const { violations, figures } = judge(evidence({ accepted: taken('a', 'b', 'a'), fired: [FAULT], books }))
    expect(violations).toEqual([])
    expect(figures).toMatchObject({ doubles: 1, openAtFaults: 16, unsureCalls: 1, doublesUnexplained: 0 })
  })

  it.each([
    ['no fault left a call open', { books: { statuses: new Map([status('a', UNSURE), status('b')]) } }],
    ['its history knows of no unsure call', { fired: [FAULT] }],
    [
      'it was to die rather than be repeated',
      {
        fired: [FAULT],
        books: { statuses: new Map([status('a', UNSURE), status('b')]) },
        messages: [message('a', { ifUnsure: 'dead-letter' }), message('b')],
      },
    ],
  ])('sees a double when %s', (_why, change) => {
    expect(complaints(evidence({ accepted: taken('a', 'b', 'a'), ...change }))).not.toEqual([])
  })

  it('sees what was cancelled and taken, stored twice, refused, stranded and left over', () => {
    const producers = [
      parseBook('calling a\nacked a m-a new\ncalling b\nrejected b WXO_CONFLICT\nacked b m-b new\nacked b m-c again\n'),
    ]
    const statuses = new Map([status('a', { status: 'cancelled' }), status('b'), status('c')])
    const leftovers = { open: { 'send delayed': 1 }, lanes: ['lane'], locks: [] }
    const stranded = [{ id: 'm-b', since: NOW }]
    expect(complaints(evidence({ producers, stranded, books: { statuses, leftovers, jobs: 1 } }))).toEqual([
      'b a send was refused: WXO_CONFLICT',
      'b acknowledged as m-b and as m-c',
      'a is cancelled, and WeChat took it (m-a)',
      'm-b was first and parked, and nobody woke it',
      'left over: 1 × send delayed',
      'left over: lane',
    ])
  })

  it('forgives no double because Redis refused its settlement', () => {
    const books = { statuses: new Map([status('a', UNSURE), status('b')]) }
    const twice = evidence({ accepted: taken('a', 'b', 'a'), fired: [REFUSAL], books })
    expect(complaints(twice)).toEqual([
      `a was taken at ${NOW}, where Redis only refused, and yet sent again`,
      '1 doubles, and at most 0 calls were open',
    ])
    expect(judge(twice).figures).toMatchObject({
      doubles: 1,
      doublesAtRefusals: 1,
      refusedCommands: 7,
      openAtFaults: 0,
    })
    // One that a kill explains stays explained, whatever Redis refused beside it.
    const killed = judge({ ...twice, fired: [REFUSAL, { ...FAULT, kind: 'worker-kill' }] })
    expect(killed.violations).toEqual([])
    expect(killed.figures).toMatchObject({ doubles: 1, doublesAtRefusals: 0 })
  })

  it('forgives no death because Redis refused its settlement', () => {
    const died = evidence({
      messages: [message('a', { ifUnsure: 'dead-letter' }), message('b')],
      fired: [REFUSAL],
      books: {
        jobs: 1,
        deadLetters: [
          { id: 'd-a', messageId: 'm-a', reason: { name: 'unsure' } },
        ] as unknown as Evidence['books']['deadLetters'],
        statuses: new Map([status('a', { status: 'dead', ...UNSURE }), status('b')]),
      },
    })
    expect(complaints(died)).toEqual([
      `a died of a call at ${NOW}, where Redis only refused (m-a)`,
      '1 are unsure, and at most 0 calls were open',
    ])
  })

  it('forgives no message that waits for nobody because Redis refused', () => {
    const stranded = [{ id: 'm-b', since: NOW + 100 }]
    expect(complaints(evidence({ stranded, fired: [REFUSAL] }))).toEqual([
      'm-b was first and parked, and nobody woke it',
    ])
  })

  it('sees a refusal that met no command', () => {
    expect(complaints(evidence({ fired: [{ ...REFUSAL, refused: 0 }] }))).toEqual([
      `refuse-readonly at ${NOW} met no command`,
    ])
  })

  it('lets sends be refused as full where Redis was', () => {
    const producers = [
      parseBook('calling a\nacked a m-a new\ncalling b\nrejected b WXO_FULL\ncalling b\nacked b m-b new\n'),
    ]
    expect(complaints(evidence({ producers, fired: [REFUSAL] }))).toEqual(['b a send was refused: WXO_FULL'])
    expect(complaints(evidence({ producers, fired: [{ ...REFUSAL, kind: 'refuse-oom' }] }))).toEqual([])
  })

  describe('of reply windows', () => {
    const hold = { hold: true as const }
    const messages = [message('a', hold), message('b', hold)]
    const sends = [
      { ...taken('a')[0], errcode: 0, accepted: true },
      { ...taken('b')[0], seq: 2, at: NOW + 10, errcode: 45047, accepted: false },
      { ...taken('b')[0], seq: 3, at: NOW + 2000, errcode: 45047, accepted: false },
      { ...taken('b')[0], seq: 4, at: NOW + 5000, errcode: 0, accepted: true },
    ].map((send) => ({ ...send, touser: 'o-a' }) as SendEntry)
    const calls = new Map([
      ['a', NOW - 10],
      ['b', NOW + 4990],
    ])
    const action = (more: Partial<Acted> = {}): Acted => ({
      touser: 'o-a',
      surprise: undefined,
      knownAt: NOW + 4000,
      recordedAt: NOW + 4010,
      ...more,
    })
    const before = action({ knownAt: NOW - 110, recordedAt: NOW - 100 })
    const vain = (acted: readonly Acted[], more: Parameters<typeof evidence>[0] = {}) =>
      complaints(evidence({ messages, windows: { acted, calls, sends }, ...more })).map((line) => line.split(':')[0])

    it('complains of a refusal that the ledger could foresee, once for all tries of a message', () => {
      expect(vain([before, action()])).toEqual(['o-a was written to in vain, 1 times'])
    })

    it.each<[string, readonly Acted[]]>([
      ['WeChat closed the window on its own', [before, action({ surprise: 'closed', recordedAt: 0 })]],
      [
        'a call was open between an action and its record',
        [before, action({ knownAt: NOW - 20, recordedAt: NOW - 5 })],
      ],
      ['the outbox had been told of no action', []],
    ])('takes as a reason that %s', (_what, acted) => {
      expect(vain([...acted, action()])).toEqual([])
    })

    it('takes as none that an action was recorded before the call began', () => {
      expect(vain([before, action({ knownAt: NOW - 20, recordedAt: NOW - 15 }), action()])).toHaveLength(1)
    })
  })
})
