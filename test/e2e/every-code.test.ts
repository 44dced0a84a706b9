import { join } from 'node:path'
import type { StatusReport } from '@wechat-outbox/messages'
import { connectRedis, openStore, readHold, resumeApp, type Store } from '@wechat-outbox/outbox/engine'
import { type ErrcodeRow, SEND_ERRCODES } from '@wechat-outbox/policy'
import { startProcess } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
let store: Store
beforeAll(async () => {
  system = await startSystem({ workers: 2, env: { RETRY_ATTEMPTS_MAX: '3' } })
  store = await openStore(connectRedis(system.redis.url, 'work'))
})
afterAll(async () => {
  store.redis.disconnect()
  await system.close()
})

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
  /** Whether it is about the message alone. */
  const isOwn = ({ action, suspendAfterInARow }: ErrcodeRow): boolean =>
    (action === 'dead' && suspendAfterInARow === undefined) || ['retry', 'reply-window', 'renew-media'].includes(action)
  const isToken = ({ action }: ErrcodeRow): boolean => action === 'refresh-token'
  const send = async ({ errcode }: ErrcodeRow): Promise<string> => {
    await answers(`code<${errcode}>`, errcode)
    const touser = `o-code${Math.abs(errcode)}${errcode < 0 ? 'n' : ''}`
    return (await system.outbox.send(text(touser, `code<${errcode}>`))).id
  }
  async function untilBuried(sent: ReadonlyMap<ErrcodeRow, string>): Promise<void> {
    for (const id of sent.values()) await until(id, 'dead')
    const { stdout } = await system.wxo('dead', 'ls', '--app', APP, '--all', '--json')
    const { items } = JSON.parse(stdout) as { items: { messageId: string }[] }
    for (const [row, id] of sent) {
      const reason = { errcode: row.errcode, name: row.action === 'retry' ? 'retries-exhausted' : row.name }
      const letter = items.find(({ messageId }) => messageId === id)
      expect(letter, `${row.errcode}`).toMatchObject({ reason, message: { touser: expect.any(String) } })
      if (row.action === 'retry') expect((await system.outbox.status(id))?.attempts).toHaveLength(3)
    }
  }

  it('ends the message as its action says', async () => {
    const sent = new Map<ErrcodeRow, string>()
    for (const row of rows.filter(isOwn)) sent.set(row, await send(row))
    await untilBuried(sent)
  }, 120_000)

  it('ends the message, as long as it does not come in a row', async () => {
    const sent = new Map<ErrcodeRow, string>()
    for (const row of rows.filter(({ suspendAfterInARow }) => suspendAfterInARow !== undefined)) {
      const id = await send(row)
      sent.set(row, id)
      await until(id, 'dead')
      await until((await system.outbox.send(text('o-between', 'between'))).id, 'delivered')
    }
    await untilBuried(sent)
  }, 120_000)

  it('lets the message wait without a try, and go when the code comes no more', async () => {
    for (const row of rows.filter(({ action }) => action === 'wait')) {
      const id = await send(row)
      await vi.waitFor(async () => expect((await system.outbox.status(id))?.attempts.length).toBeGreaterThan(3), 20_000)
      await system.fake.clearFaults()
      await resumeApp(store, APP)
      const { attempts } = await until(id, 'delivered')
      expect(new Set(attempts.map(({ outcome }) => outcome))).toEqual(new Set(['suspended', 'delivered']))
    }
  }, 60_000)

  it('buries a code that nobody knows as unknown', async () => {
    await answers('strange', 12_345)
    const { id } = await system.outbox.send(text('o-strange', 'strange'))
    await until(id, 'dead')
    const { stdout } = await system.wxo('dead', 'show', '--app', APP, '--json', `d-${id.slice(2)}`)
    expect(JSON.parse(stdout)).toMatchObject({ reason: { errcode: 12_345, name: 'unknown' } })
  })

  it('holds the app as its action says, and the message with it', async () => {
    const holding = rows.filter(
      ({ action }) => !['dead', 'reply-window', 'renew-media', 'retry', 'wait'].includes(action),
    )
    // A refused token is remembered for a while, so these come last.
    for (const row of holding.toSorted((a, b) => Number(isToken(a)) - Number(isToken(b)))) {
      const id = await send(row)
      const kind = row.action.startsWith('throttle') ? 'throttled' : 'suspended'
      await vi.waitFor(
        async () => {
          const fault = { kind, reason: { errcode: expect.any(Number) } }
          expect((await readHold(store, APP))?.fault, `${row.errcode}`).toMatchObject(fault)
        },
        // A token that its source gives again and again is doubted after 15 seconds.
        { timeout: 45_000, interval: 50 },
      )
      await vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe('queued'), 10_000)
      expect((await system.outbox.status(id))?.attempts.at(-1)?.outcome).toBe(kind)
      expect(await system.outbox.cancel(id)).toBe('cancelled')
      await resumeApp(store, APP)
    }
  }, 180_000)
})
