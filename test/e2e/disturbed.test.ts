/**
 * Two thousand messages and three workers, and in the middle the token dies; once its endpoint gives another, once it says for
 * some seconds that the quota is used up. What that costs is counted at the fake WeChat and printed as a line of a table. And an
 * app whose very first token cannot be had for that reason; minutes of it are in `hold.long.test.ts`.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { watchHolds } from './support/hold.ts'
import { type System, startSystem, text } from './support/system.ts'
import { eventsOf } from './support/token-trial.ts'

const MESSAGES = 2000
const PEOPLE = 100
const WAIT_MS = 60_000
/** One try for each message: whoever loses it to a token is dead. A call may take its time on a busy machine. */
const limits = { RETRY_ATTEMPTS_MAX: '1', SEND_TIMEOUT_MS: '5000', STALLED_AFTER_MS: '10000' }

let system: System
afterEach(() => system.close())

/** When each message was handed over. */
const stored = new Map<string, number>()
async function produce(from: number, to: number): Promise<void> {
  const requests = Array.from({ length: to - from }, (_, n) => text(`o-${(from + n) % PEOPLE}`, `${from + n}`))
  const at = Date.now()
  for (const { text: sent } of requests) stored.set(sent.content, at)
  for (const result of await system.outbox.sendMany(requests)) expect(result).toHaveProperty('id')
}

const accepted = async () => (await system.fake.sends()).filter((send) => send.accepted)
const untilAccepted = (count: number) =>
  vi.waitFor(async () => expect((await accepted()).length).toBeGreaterThanOrEqual(count), {
    timeout: WAIT_MS,
    interval: 50,
  })
const contentOf = (body: unknown): string => (body as { text: { content: string } }).text.content

/** Nothing lost, nothing twice, in order for each person. Returns the longest time from handing over to WeChat. */
async function expectAllInOrder(): Promise<number> {
  const sends = await accepted()
  expect(sends).toHaveLength(MESSAGES)
  for (const lane of Map.groupBy(sends, ({ touser }) => touser).values()) {
    const numbers = lane.map(({ body }) => Number(contentOf(body)))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    expect(new Set(numbers).size).toBe(MESSAGES / PEOPLE)
  }
  return Math.max(...sends.map(({ at, body }) => at - (stored.get(contentOf(body)) ?? 0)))
}

describe('a token that dies in the middle of two thousand messages', () => {
  it.each([
    { what: '40001, the token was revoked', quotaMs: 0, callsMax: 3 },
    { what: '40001, and 45009 for 4 s while it is replaced', quotaMs: 4000, callsMax: 5 },
  ])(
    'costs a few calls, and nothing is lost, doubled or overtaken: $what',
    async ({ what, quotaMs, callsMax }) => {
      system = await startSystem({ workers: 3, env: limits })
      await system.fake.fault({ fault: { name: 'latency', minMs: 20, maxMs: 20 } })
      await produce(0, MESSAGES / 2)
      await untilAccepted(MESSAGES / 4)
      if (quotaMs > 0) await system.fake.fault({ endpoint: 'token', fault: { name: 'late-45009', forMs: quotaMs } })
      await system.fake.invalidateTokens()
      await produce(MESSAGES / 2, MESSAGES)
      await untilAccepted(MESSAGES)
      const longestMs = await expectAllInOrder()
      const { sends, tokenCalls } = await system.fake.ledger()
      const refused = sends.filter(({ errcode }) => errcode === 40_001)
      const forces = tokenCalls.filter(({ force }) => force)
      const line = [what, tokenCalls.length, forces.length, refused.length, longestMs]
      process.stdout.write(
        `| case | token calls | forced | refused sends | longest delay in ms |\n| ${line.join(' | ')} |\n`,
      )
      expect(refused.length).toBeGreaterThan(0)
      expect(tokenCalls.length).toBeGreaterThan(1)
      expect(tokenCalls.length).toBeLessThanOrEqual(callsMax)
      expect(forces.length).toBeLessThanOrEqual(1)
      expect(tokenCalls.some(({ errcode }) => errcode === 45_009)).toBe(quotaMs > 0)
      expect(eventsOf(system, 'message.dead')).toEqual([])
    },
    120_000,
  )
})

describe('a token endpoint that says for six seconds that its quota is used up', () => {
  it('is probed by the rule for all causes, and the messages go when it is well', async () => {
    // The usual interval, a minute: what is waited for is the first probe, after 15 s.
    system = await startSystem({ workers: 2, env: limits })
    const watch = watchHolds(system)
    const began = Date.now()
    await system.fake.fault({ fault: { name: 'late-45009', forMs: 6000 } })
    const { id } = await system.outbox.send(text('o-quota', 'waits'))
    await watch.untilHeld({ kind: 'throttled', cause: 'token', reason: { errcode: 45_009 } })
    await vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'), {
      timeout: WAIT_MS,
      interval: 100,
    })
    const { sends, tokenCalls } = await system.fake.ledger()
    expect(tokenCalls.map(({ errcode, force }) => ({ errcode: errcode ?? 0, force }))).toEqual([
      { errcode: 45_009, force: false },
      { errcode: 0, force: false },
    ])
    expect((sends[0]?.at ?? 0) - (began + 6000)).toBeLessThanOrEqual(75_000)
    await watch.untilOpen()
    watch.disconnect()
  }, 120_000)
})
