// Stored messages outlive the code that stored them. Here a worker of today meets what an earlier version has left in
// Redis: messages in every state, also those in which a crash leaves them. The file of the fixture says of each what it is
// and what has to become of it; this test knows no keys and no fields, so that those may change.
import { deadLetterIdOf, type JobData } from '@wechat-outbox/messages'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  createTokenStore,
  inspectLanes,
  listDeadLetters,
  type Run,
  readBacklog,
  requestReplay,
  type Settlement,
} from '../src/engine.ts'
import type { Outbox } from '../src/index.ts'
import { type About, restoreStored } from './support/stored.ts'
import { APP, createWorld, DELIVERED, dies, memberOf, type World } from './support/world.ts'

const FIXTURE = 'stored-2026-11-23.json'
const MINUTE_MS = 60_000
const DAY_MS = 1440 * MINUTE_MS
/** All that waits ends within seconds; a loaded machine may take its time. */
const SLOW_MS = 2 * MINUTE_MS
const RETAINED = { deliveredMs: DAY_MS, deliveredMax: 10_000, deadMs: 30 * DAY_MS }

/** Delivers everything but what has expired, and what must not be sent twice and may have been. */
function recording(calls: { id: string; touser: string }[]): (run: Run) => Promise<Settlement> {
  return async (run) => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    const { touser, ifUnsure, expiresAt = Infinity } = run.data as JobData
    if (turn.interruptedMsAgo !== undefined && ifUnsure === 'dead-letter')
      return dies({ errcode: null, name: 'unsure' })
    if (Date.now() >= expiresAt) return dies({ errcode: null, name: 'expired' })
    calls.push({ id: run.id, touser })
    return DELIVERED
  }
}

function byPerson(calls: readonly { id: string; touser: string }[]): Record<string, string[]> {
  const grouped: Record<string, string[]> = {}
  for (const { id, touser } of calls) grouped[touser] = [...(grouped[touser] ?? []), id]
  return grouped
}

// After the shorter time, what was parked is still delayed and has to be woken; after the longer, it comes by itself. In
// both, what was to be soon is due.
describe.each([
  ['twelve minutes', 12 * MINUTE_MS],
  ['two hours', 120 * MINUTE_MS],
])('what an earlier version left %s ago', (_what, agoMs) => {
  let world: World
  let outbox: Outbox
  let about: About
  beforeAll(async () => {
    world = await createWorld()
    about = await restoreStored(world.redis, FIXTURE, agoMs)
    outbox = world.outbox()
  })
  afterAll(() => world.close())

  /** Of every message. */
  async function statuses(): Promise<Record<string, string>> {
    const ids = Object.keys(about.messages)
    const told = await Promise.all(ids.map(async (id) => [id, (await outbox.status(id))?.status ?? 'none']))
    return Object.fromEntries(told)
  }
  /** As after a producer that has lost the answers. */
  async function repeat(statusOf: (id: string) => string): Promise<void> {
    const answers = await outbox.sendMany(about.repeats.map(({ request }) => request))
    const expected = about.repeats.map(({ id }) => {
      const status = statusOf(id)
      // That version noted no ending beside a key; where nothing else is left, nobody can say what came of the message.
      return { id, status: status === 'none' ? 'unknown' : status, duplicate: true }
    })
    expect(answers).toEqual(expected)
  }

  describe('before a worker runs', () => {
    it('has the same status', async () => {
      expect(await statuses()).toEqual(mapped(about.messages, ({ status }) => status))
      expect(await outbox.status(about.tomorrow)).toMatchObject({ status: 'scheduled', sendAt: expect.any(String) })
    })

    it('is recognised when it is repeated with its idempotency key', async () => {
      await repeat((id) => about.messages[id]?.status ?? '')
      expect(await statuses()).toEqual(mapped(about.messages, ({ status }) => status))
    })
  })

  it('includes a token with what is left of it', async () => {
    const token = await createTokenStore(world.store, APP).read()
    expect(token).toMatchObject({ value: 'FAKE-ACCESS-TOKEN-OF-A-FIXTURE', parameter: 'access_token', refused: false })
    expect((token?.leftMs ?? 0) > 0).toBe(agoMs < 120 * MINUTE_MS)
  })

  describe('once a worker has run', () => {
    const calls: { id: string; touser: string }[] = []
    beforeAll(async () => {
      const retain = { retain: RETAINED, rememberMs: 3 * DAY_MS }
      await world.consumer(recording(calls), retain)
      const ends = mapped(about.messages, ({ end, status }) => (status === 'none' ? status : end.status))
      await vi.waitFor(async () => expect(await statuses()).toEqual(ends), { timeout: SLOW_MS, interval: 100 })
      const idle = { waiting: 0, active: 0 }
      await vi.waitFor(
        async () =>
          expect(await readBacklog(world.store, APP, Date.now())).toMatchObject({
            send: { ...idle, failed: 0, delayed: 1 },
            deadLetter: idle,
          }),
        SLOW_MS,
      )
    }, 2 * SLOW_MS)

    it('has been sent to each person in the order in which it was accepted, and nothing twice', () => {
      expect(byPerson(calls)).toEqual(about.calls)
    })

    it('is a dead letter where it had to die, with its reason and what was tried', async () => {
      const { items } = await listDeadLetters(world.store, APP, { limit: 1000 })
      const dead = Object.entries(about.messages).filter(([, { end }]) => end.status === 'dead')
      expect(new Set(items.map(({ id }) => id))).toEqual(new Set(dead.map(([id]) => deadLetterIdOf(id))))
      for (const { messageId, reason, attempts, message } of items) {
        const touser = 'touser' in message ? message.touser : ''
        expect({ touser, reason: `${reason.errcode ?? reason.name}` }).toEqual({
          touser: about.messages[messageId]?.touser,
          reason: about.messages[messageId]?.end.reason,
        })
        const errcode = [String(reason.errcode ?? reason.name)]
        const found = await listDeadLetters(world.store, APP, { errcode, touser: [touser] })
        expect(found.items.map((one) => one.messageId)).toContain(messageId)
        expect(attempts.length > 0 || reason.name === 'expired').toBe(true)
      }
    })

    it('names the replay of what was replayed', async () => {
      for (const [id, { end }] of Object.entries(about.messages)) {
        if (end.replayedAs === undefined) continue
        expect(await outbox.status(id)).toMatchObject({ status: 'replayed', replayedAs: end.replayedAs })
        expect(await outbox.status(end.replayedAs)).toMatchObject({ replayOf: deadLetterIdOf(id) })
        expect(await requestReplay(world.store, APP, deadLetterIdOf(id))).toMatchObject({ id: end.replayedAs })
      }
      expect(byPerson(calls)).toEqual(about.calls)
    })

    it('keeps what was tried before', async () => {
      const tried = Object.entries(about.messages).filter(([, { status }]) => status === 'retrying')
      expect(tried.length).toBeGreaterThan(1)
      for (const [id] of tried) {
        const outcomes = (await outbox.status(id))?.attempts.map(({ outcome }) => outcome)
        expect(outcomes?.[0]).toBe('retry')
      }
    })

    it('is still recognised when it is repeated, and leaves no lane that disagrees', async () => {
      await repeat((id) => (about.messages[id]?.status === 'none' ? 'none' : (about.messages[id]?.end.status ?? '')))
      const found = []
      for await (const problem of inspectLanes(world.store, { appid: APP, againAfterMs: 0 })) found.push(problem)
      expect(found).toEqual([])
      expect(byPerson(calls)).toEqual(about.calls)
    })

    it(
      'gives one message when one of its dead letters is replayed',
      async () => {
        const [letter] = (await listDeadLetters(world.store, APP, { touser: ['o-closed'], limit: 1 })).items
        const asked = await Promise.all([1, 2].map(() => requestReplay(world.store, APP, letter?.id ?? '')))
        const id = `${letter?.messageId}-1`
        expect(asked).toEqual([1, 2].map(() => ({ kind: 'requested', id, replayOf: letter?.id })))
        await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('delivered'), SLOW_MS)
        expect(byPerson(calls)).toEqual({ ...about.calls, 'o-closed': [id] })
      },
      2 * SLOW_MS,
    )

    it('can be cancelled while its time has not come', async () => {
      expect(await outbox.cancel(about.tomorrow)).toBe('cancelled')
      expect((await outbox.status(about.tomorrow))?.status).toBe('cancelled')
    })
  })
})

function mapped<T, U>(record: Readonly<Record<string, T>>, value: (one: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, one]) => [key, value(one)]))
}
