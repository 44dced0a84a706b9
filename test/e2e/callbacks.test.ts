// Callbacks with everything that receivers do: real processes, a real receiver that verifies each call by the library of the standard.
import type { MessageEvent } from '@wechat-outbox/messages'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { CALLBACK_SECRET, type Receiver, startReceiver, status } from './support/receiver.ts'
import { APP, SECRET, type System, startSystem, text } from './support/system.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const until = (check: () => unknown, timeout = 60_000) => vi.waitFor(check, { timeout, interval: 100 })
let receiver: Receiver
let system: System
const start = async (workers = 2): Promise<void> => {
  receiver = await startReceiver()
  const env = {
    CALLBACK_URL: `${receiver.url}/hook?key=of-the-receiver`,
    CALLBACK_SECRET,
    CALLBACK_ALLOWED_HOSTS: '127.0.0.1',
  }
  system = await startSystem({ workers, env: { ...env, PROBE_EVERY_MS: '500' } })
}
const end = async (): Promise<void> => {
  await system?.close()
  await receiver?.close()
}
const statusOf = async (id: string) => (await system.outbox.status(id))?.status
const ended = (id: string, expected: string) => until(async () => expect(await statusOf(id)).toBe(expected))
const typesOf = (id: string) =>
  receiver.heard.filter(({ body }) => 'id' in body.data && body.data.id === id).map(({ body }) => body.type)
const wxo = async (...args: string[]) => {
  const { code, stdout, stderr } = await system.wxo(...args, '--json')
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as Record<string, never>
}

describe('a receiver', () => {
  beforeAll(() => start())
  beforeEach(async () => {
    receiver.answer = status(204)
    await system.fake.clearFaults()
  })
  afterAll(end)

  it('is told of every outcome, and of none before it was true', async () => {
    const early: unknown[] = []
    receiver.answer = async (response, { data }) => {
      const { id, status: said } = data as MessageEvent
      const seen = await system.outbox.status(id)
      if (seen?.status !== said) early.push({ id, said, seen })
      response.writeHead(204).end()
    }
    await system.fake.fault({ touser: 'o-dead', fault: { name: 'errcode', errcode: 45015 } })
    const people = ['o-dead', ...Array.from({ length: 100 }, (_, n) => `o-${n}`)]
    const receipts = await system.outbox.sendMany(
      people.map((touser) => ({ ...text(touser, 'private words'), metadata: { touser } })),
    )
    const ids = receipts.map((one) => ('id' in one ? one.id : ''))
    await until(() => expect([...receiver.taken().keys()].toSorted()).toEqual(ids.toSorted()))
    expect(early).toEqual([])
    expect(receiver.refused).toEqual([])
    const [dead = '', delivered = ''] = ids
    expect(receiver.taken().get(delivered)).toMatchObject([
      {
        id: `c-${delivered.slice(2)}-delivered`,
        path: '/hook?key=of-the-receiver',
        body: {
          type: 'message.delivered',
          timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          data: {
            id: delivered,
            appid: APP,
            touser: 'o-0',
            msgtype: 'text',
            status: 'delivered',
            attempts: 1,
            metadata: { touser: 'o-0' },
          },
        },
      },
    ])
    expect(receiver.taken().get(dead)).toMatchObject([
      {
        body: {
          type: 'message.dead',
          data: { status: 'dead', errcode: 45015, reason: 'reply-window-closed', deadLetter: `d-${dead.slice(2)}` },
        },
      },
    ])
    expect(JSON.stringify(receiver.heard)).not.toContain('private words')
    const replayed = await system.wxo('dead', 'replay', `d-${dead.slice(2)}`, '--app', APP, '--yes')
    expect(replayed.code).toBe(0)
    await until(() =>
      expect(receiver.taken().get(`${dead}-1`)).toMatchObject([{ body: { data: { replayOf: `d-${dead.slice(2)}` } } }]),
    )
  })

  it('is told of a message that waited for its user until it expired', async () => {
    await system.fake.fault({ touser: 'o-away', fault: { name: 'errcode', errcode: 45015 } })
    const { id } = await system.outbox.send({ ...text('o-away', 'x'), onClosed: 'hold', expiresAt: Date.now() + 3000 })
    await ended(id, 'dead')
    await until(() => expect(typesOf(id)).toEqual(['message.expired-waiting']))
  })

  it('is told of an app that is suspended, and goes on', async () => {
    await system.fake.fault({ fault: { name: 'errcode', errcode: 40164 } })
    const { id } = await system.outbox.send(text('o-held', 'x'))
    const ofApp = () => receiver.heard.filter(({ body }) => body.type.startsWith('app.')).map(({ body }) => body)
    await until(() =>
      expect(ofApp()).toMatchObject([
        { type: 'app.suspended', data: { appid: APP, errcode: 40164, reason: 'ip-not-allowed' } },
      ]),
    )
    await system.fake.clearFaults()
    await ended(id, 'delivered')
    await until(() =>
      expect(ofApp().slice(1)).toMatchObject([{ type: 'app.resumed', data: { appid: APP, status: 'active' } }]),
    )
  })

  it.each([
    ['answers 500', status(500)],
    ['sends it elsewhere', status(307, { location: '/elsewhere' })],
    ['breaks the connection', (response: { destroy: () => unknown }) => void response.destroy()],
    ['does not answer for ten seconds', () => undefined],
  ])('that %s at first is told again under the same id, and no message waits for it', async (what, answer) => {
    receiver.answer = answer
    const touser = `o-${what.replaceAll(' ', '-')}`
    const { id } = await system.outbox.send(text(touser, 'x'))
    await ended(id, 'delivered')
    const others = await system.outbox.sendMany(Array.from({ length: 20 }, (_, n) => text(`${touser}-${n}`, 'x')))
    receiver.answer = status(200)
    for (const other of others) await ended('id' in other ? other.id : '', 'delivered')
    await until(() => expect(receiver.taken().get(id)).toHaveLength(1))
    // Some of theirs may have met the same answer. What waits to be told again is gone when the next test counts.
    const othersIds = others.map((other) => ('id' in other ? other.id : ''))
    await until(() => expect([...receiver.taken().keys()]).toEqual(expect.arrayContaining(othersIds)))
    const told = receiver.heard.filter(({ body }) => 'id' in body.data && body.data.id === id)
    expect(new Set(told.map((one) => one.id)).size).toBe(1)
    expect(new Set(told.map((one) => JSON.stringify(one.body))).size).toBe(1)
    expect(receiver.heard.filter(({ path }) => path === '/elsewhere')).toEqual([])
  })

  it('that answers 410 is told nothing more until an operator says so, and what it has missed can be told again', async () => {
    receiver.answer = status(410)
    const { id: first } = await system.outbox.send(text('o-gone', 'x'))
    const statusOfApp = async () =>
      (await wxo('status', '--app', APP))['items']?.[0] as unknown as { callbacks: unknown }
    await until(async () =>
      expect((await statusOfApp()).callbacks).toMatchObject({ hold: { kind: 'gone', reason: 'status 410' } }),
    )
    receiver.answer = status(200)
    const { id: second } = await system.outbox.send(text('o-gone', 'y'))
    await ended(second, 'delivered')
    expect(await statusOfApp()).toMatchObject({ callbacks: { waiting: 1, delayed: 1 } })
    expect(await wxo('callback', 'ls', '--app', APP)).toMatchObject({
      items: [
        { messageId: first, type: 'message.delivered', state: 'delayed', attempts: 1, error: 'status 410' },
        { messageId: second, type: 'message.delivered', state: 'waiting', attempts: 0, error: null },
      ],
      hold: { kind: 'gone' },
    })
    expect(receiver.taken().has(second)).toBe(false)
    expect((await system.wxo('status', '--app', APP)).stdout).toMatch(/callbacks .*1 .*\n|410/)
    expect(await wxo('callback', 'resume', APP)).toEqual({ items: [{ appid: APP, changed: true }] })
    await until(() => expect([...receiver.taken().keys()]).toEqual(expect.arrayContaining([first, second])))
    const dryRun = await wxo('callback', 'replay', '--app', APP, '--since', '1h', '--dry-run')
    expect(dryRun).toEqual({ appid: APP, dryRun: true, told: expect.any(Number), givenUp: 0 })
    const before = receiver.heard.length
    const replayed = await wxo('callback', 'replay', '--app', APP, '--since', '1h', '--yes')
    expect(replayed).toMatchObject({ dryRun: false, givenUp: 0 })
    await until(() => expect(receiver.heard.length - before).toBe(Number(replayed['told'])))
    const again = receiver.taken().get(second) ?? []
    expect(again.map(({ id }) => id)).toEqual([`c-${second.slice(2)}-delivered`, `c-${second.slice(2)}-delivered`])
  })

  it('stands in no log with its address or its secret, nor with whom it is told of', () => {
    const log = system.workers.map((worker) => worker.stdout() + worker.stderr()).join('')
    for (const word of ['of-the-receiver', receiver.url, CALLBACK_SECRET, CALLBACK_SECRET.slice(6), SECRET, 'o-gone']) {
      expect(log).not.toContain(word)
    }
    expect(log).toContain('"callback.attempted"')
  })
})

it('is told of every outcome although worker and Redis are killed in the middle', async () => {
  await start()
  receiver.answer = async (response) => void setTimeout(() => response.writeHead(204).end(), 20)
  const ids: string[] = []
  for (let n = 0; n < 20; n += 1) {
    const receipts = await system.outbox.sendMany(Array.from({ length: 20 }, (_, m) => text(`o-${n}-${m}`, 'x')))
    ids.push(...receipts.flatMap((one) => ('id' in one ? [one.id] : [])))
  }
  expect(ids).toHaveLength(400)
  await until(() => expect(receiver.heard.length).toBeGreaterThan(50))
  await Promise.all(system.workers.map((worker) => worker.kill9()))
  await system.restartRedis()
  expect(receiver.taken().size).toBeLessThan(400)
  await system.worker()
  // What was under way when its worker was killed is told when its lease of half a minute is over.
  await until(() => expect([...receiver.taken().keys()].toSorted()).toEqual(ids.toSorted()), 90_000)
  const twice = [...receiver.taken().values()].filter((told) => told.length > 1)
  // At most what each of the two workers was telling.
  expect(twice.length).toBeLessThanOrEqual(32)
  expect(receiver.refused).toEqual([])
  await end()
})
