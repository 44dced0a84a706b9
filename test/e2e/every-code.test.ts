import { join } from 'node:path'
import type { StatusReport } from '@wechat-outbox/messages'
import { SEND_ERRCODES } from '@wechat-outbox/policy'
import { startProcess } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
beforeAll(async () => {
  system = await startSystem({ workers: 2, env: { RETRY_ATTEMPTS_MAX: '3' } })
})
afterAll(() => system.close())

async function until(id: string, status: StatusReport['status']): Promise<StatusReport> {
  return vi.waitFor(
    async () => {
      const report = await system.outbox.status(id)
      expect(report?.status).toBe(status)
      return report as StatusReport
    },
    { timeout: 15_000, interval: 50 },
  )
}

const answers = (content: string, errcode: number, times?: number) =>
  system.fake.fault({
    match: { contentIncludes: content },
    fault: { name: 'errcode', errcode },
    ...(times === undefined ? {} : { times }),
  })

describe('the codes of the page, from a producer in another process', () => {
  it('end where the table says, and a replay is delivered once the window is open again', async () => {
    await answers('busy', -1, 2)
    await answers('kind', 40002)
    await answers('unauthorised', 48001)
    await system.fake.user('o-closed', 'close')
    await system.fake.user('o-exhausted', 'exhaust')
    await system.fake.invalidateTokens()
    const requests = [
      text('o-busy', 'busy'),
      text('o-fine', 'fine 👋 您好'),
      text('o-kind', 'kind'),
      text('unknown-person', 'who'),
      text('o-closed', 'closed'),
      text('o-exhausted', 'exhausted'),
      text('o-unauthorised', 'unauthorised'),
    ]
    const script = join(import.meta.dirname, 'support/producer.ts')
    const producer = startProcess({ args: [script, system.redis.url, APP, JSON.stringify(requests)] })
    const [, json = '[]'] = await producer.waitForLine(/^receipts (.*)$/)
    expect((await producer.exited).code).toBe(0)
    const [busy, fine, kind, who, closed, exhausted, unauthorised] = (JSON.parse(json) as { id: string }[]).map(
      ({ id }) => id,
    )

    expect((await until(busy ?? '', 'delivered')).attempts.map(({ errcode }) => errcode)).toEqual([-1, -1, 0])
    expect((await until(fine ?? '', 'delivered')).attempts.at(-1)).toMatchObject({ errcode: 0, outcome: 'delivered' })
    for (const [id = '', errcode] of [
      [kind, 40002],
      [who, 40003],
      [closed, 45015],
      [exhausted, 45047],
      [unauthorised, 48001],
    ] as const) {
      expect((await until(id, 'dead')).attempts).toMatchObject([{ errcode, outcome: 'dead' }])
    }

    const listed = await system.wxo('dead', 'ls', '--app', APP, '--errcode', '45015', '--json')
    const [letter] = (JSON.parse(listed.stdout) as { items: { id: string; reason: object }[] }).items
    expect(letter?.reason).toMatchObject({ name: 'reply-window-closed', errcode: 45015 })
    await system.fake.user('o-closed', 'message')
    const replayed = await system.wxo('dead', 'replay', '--app', APP, letter?.id ?? '')
    expect(replayed.code).toBe(0)
    await vi.waitFor(async () => expect(await system.fake.accepted('closed')).toHaveLength(1), 10_000)
    expect(await system.outbox.status(closed ?? '')).toMatchObject({ status: 'replayed', replayedAs: `${closed}-1` })
    expect((await until(`${closed}-1`, 'delivered')).replayOf).toBe(letter?.id)
  })

  it('include 40001: the token is refreshed and the message sent within the same try', async () => {
    const before = await system.outbox.send(text('o-warm', 'warm'))
    await until(before.id, 'delivered')
    await system.fake.invalidateTokens()
    const { id } = await system.outbox.send(text('o-token', 'after the token died'))
    const { attempts } = await until(id, 'delivered')
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['token-refreshed', 'delivered'])
    const { tokenCalls } = await system.fake.ledger()
    expect(tokenCalls.length).toBeLessThanOrEqual(4)
  })
})

describe('every code of the table', () => {
  const rows = SEND_ERRCODES.filter(({ errcode }) => errcode !== 0)
  const rowsThat = (...actions: string[]) => rows.filter(({ action }) => actions.includes(action))

  /** One message for each code, which is answered with it for ever. */
  async function sendEach(given: typeof rows): Promise<Map<number, string>> {
    const sent = new Map<number, string>()
    for (const { errcode } of given) {
      await answers(`code<${errcode}>`, errcode)
      const { id } = await system.outbox.send(
        text(`o-code${Math.abs(errcode)}${errcode < 0 ? 'n' : ''}`, `code<${errcode}>`),
      )
      sent.set(errcode, id)
    }
    return sent
  }

  it('that says that the message is at fault ends it', async () => {
    const sent = await sendEach(rowsThat('dead', 'retry'))
    for (const { errcode, action, name } of rowsThat('dead', 'retry')) {
      const id = sent.get(errcode) ?? ''
      await until(id, 'dead')
      const { stdout } = await system.wxo('dead', 'show', '--app', APP, '--json', `d-${id.slice(2)}`)
      const expected = action === 'dead' ? name : 'retries-exhausted'
      expect(JSON.parse(stdout), `${errcode}`).toMatchObject({
        reason: { errcode, name: expected },
        message: { touser: expect.any(String) },
      })
      if (action === 'retry') expect((await system.outbox.status(id))?.attempts).toHaveLength(3)
    }
  }, 180_000)

  it('buries a code that nobody knows as unknown', async () => {
    await answers('strange', 12_345)
    const { id } = await system.outbox.send(text('o-strange', 'strange'))
    await until(id, 'dead')
    const { stdout } = await system.wxo('dead', 'show', '--app', APP, '--json', `d-${id.slice(2)}`)
    expect(JSON.parse(stdout)).toMatchObject({ reason: { errcode: 12_345, name: 'unknown' } })
  })

  // A token that is refused for ever leaves the app without one, and every later message waits: so those come last.
  it.each([
    [['throttle-minute', 'throttle-day'], 'throttled'],
    [['suspend'], 'suspended'],
    [['refresh-token'], 'suspended'],
  ])('that says that the app is at fault makes the message wait: %j', async (actions, outcome) => {
    for (const [errcode, id] of await sendEach(rowsThat(...actions))) {
      const last = async () => (await system.outbox.status(id))?.attempts.at(-1)?.outcome
      await vi.waitFor(async () => expect(await last(), `${errcode}`).toBe(outcome), 15_000)
      expect((await system.outbox.status(id))?.status).toBe('queued')
    }
  })
})
