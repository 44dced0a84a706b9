/** Answers that take some reading, to sends and to token calls: what they say counts, and nothing is sent twice. */
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { type System, startSystem, text } from './support/system.ts'

let system: System
beforeAll(async () => {
  system = await startSystem()
}, 60_000)
beforeEach(() => system.fake.clearFaults())
afterAll(() => system?.close())

const MANNERS = ['text-errcode', 'bom', 'nul', 'control', 'gzip'] as const

it.each(MANNERS)(
  '%s',
  async (manner) => {
    const [taken, closed] = [`o-taken-${manner}`, `o-closed-${manner}`]
    await system.fake.user(closed, 'close')
    await system.fake.fault({ fault: { name: 'odd-answer', manner } })
    await system.fake.fault({ endpoint: 'token', fault: { name: 'odd-answer', manner } })
    // The next token has to be read in this manner, too.
    await system.fake.invalidateTokens()
    const sent = [await system.outbox.send(text(taken, manner)), await system.outbox.send(text(closed, manner))]
    const statuses = () => Promise.all(sent.map(({ id }) => system.outbox.status(id)))
    await vi.waitFor(
      async () => expect((await statuses()).map((report) => report?.status)).toEqual(['delivered', 'dead']),
      20_000,
    )
    const [delivered, dead] = await statuses()
    expect(delivered?.attempts.at(-1)).toMatchObject({ outcome: 'delivered', errcode: 0 })
    expect(dead?.attempts.at(-1)).toMatchObject({ errcode: 45015 })
    const sends = await system.fake.sends()
    expect(sends.filter(({ touser, accepted }) => touser === taken && accepted)).toHaveLength(1)
    expect(sends.filter(({ touser, errcode }) => touser === closed && errcode === 45015)).toHaveLength(1)
  },
  60_000,
)
