import { createTask, createTokenStore } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Finding } from '../src/findings.ts'
import { APP, documentOf, SECRET_TOKEN, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

interface StatusDocument {
  readonly findings: readonly Finding[]
  readonly redis: unknown
  readonly items: readonly { readonly oldestWaitingMs: number; readonly token: { readonly leftMs: number } }[]
}

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

it('has nothing to say of apps before there is one', async () => {
  const findings = [{ kind: 'no-worker', level: 'problem' }]
  expect(documentOf(await world.cli(['status', '--json']))).toMatchObject({
    findings,
    redis: { problems: [] },
    items: [],
  })
  expect((await world.cli(['dead', 'ls'])).stderr).toContain('which app?')
})

it('counts messages and dead letters and tells of a token without its value', async () => {
  const consumer = await world.consume()
  await world.outbox.send({ touser: 'oBen', msgtype: 'text', text: { content: 'die 45015' } })
  await world.outbox.send({ touser: 'oAnna', msgtype: 'text', text: { content: 'hello' } })
  const deadLetters = world.store.backend(APP, 'dead-letter')
  await vi.waitFor(async () => expect(await deadLetters.getCounts(['failed'])).toEqual([1]), { timeout: 20_000 })
  await vi.waitFor(
    async () => expect(await world.store.backend(APP, 'send').getCounts(['completed'])).toEqual([1]),
    20_000,
  )
  await consumer.close(5000)
  const { id } = await world.outbox.send({ touser: 'oBen', msgtype: 'text', text: { content: 'waits' } })
  await world.outbox.send({
    touser: 'oBen',
    msgtype: 'text',
    text: { content: 'later' },
    sendAt: Date.now() + 3_600_000,
  })
  // Ten minutes are not waited for.
  await world.store.redis.hset(world.store.backend(APP, 'send').toKey(id), 'timestamp', Date.now() - 600_000)
  const claimed = await createTokenStore(world.store, APP).claim({ mode: 'need', lockMs: 5000, aheadMs: 0 })
  if (claimed.kind !== 'lock') throw new Error('the token is there already')
  await claimed.lock.store({ value: SECRET_TOKEN, parameter: 'access_token', lifetimeMs: 7_200_000 })
  await claimed.lock.release()

  const result = await world.cli(['status', '--json'], { env: { WECHAT_APP_ID: APP } })
  expect(result).toMatchObject({ code: 0, stderr: '' })
  const { findings, redis, items } = documentOf<StatusDocument>(result)
  expect(redis).toMatchObject({ appendOnly: true, appendFsync: 'everysec', evictionPolicy: 'noeviction', problems: [] })
  expect(items).toHaveLength(1)
  expect(items[0]).toMatchObject({
    appid: APP,
    send: { waiting: 1, active: 0, delayed: 1, completed: 1, failed: 0 },
    deadLetters: 1,
    deadLetterCodes: { total: 1, counts: [{ key: '45015', count: 1 }], others: 0 },
    tasks: [],
    token: { version: 1 },
    tokenFailure: null,
  })
  expect(findings.map(({ kind, level, appid }) => ({ kind, level, appid }))).toEqual([
    { kind: 'waiting', level: 'problem', appid: APP },
    { kind: 'dead-letters', level: 'notice', appid: APP },
  ])
  expect(Math.floor((items[0]?.oldestWaitingMs ?? 0) / 60_000)).toBe(10)
  expect(items[0]?.token.leftMs).toBeGreaterThan(7_000_000)

  const shown = await world.cli(['status', '--app', APP])
  expect(shown.stdout).toMatch(
    /^✗ A message of \w+ has been due for 10m.*\n! 1 dead letter of \w+: 1 × 45015 reply-window-closed\. /,
  )
  expect(shown.stdout).toMatch(/waiting +1, oldest 10m/)
  expect(shown.stdout).toMatch(/dead letters +1\n +LETTERS +ERRCODE +\n +1 +45015 +reply-window-closed: /)
  expect(shown.stdout).toMatch(/token +version 1, (?:1h 59m|2h) left/)
  expect(result.stdout + shown.stdout).not.toContain(SECRET_TOKEN)
})

it('tells of messages that no worker takes, also of an app that none has ever served', async () => {
  const mistyped = 'wx00000000000000ab'
  await world.outbox.send({ touser: 'oBen', msgtype: 'text', text: { content: 'lost' }, appid: mistyped })
  const result = await world.cli(['status', '--json'])
  const { items } = documentOf<{ items: { appid: string; served: boolean }[] }>(result)
  expect(items.map(({ appid, served }) => ({ appid, served }))).toEqual([
    // Its worker has just ended.
    { appid: APP, served: true },
    { appid: mistyped, served: false },
  ])
  await world.store.redis.del(`{wxo:${APP}}:served`)
  const shown = await world.cli(['status'])
  expect(shown.stdout).toMatch(/^✗ No worker serves any app: /)
  expect(shown.stdout).toContain(`✗ No worker serves ${APP} now, and 2 messages wait for one.`)
  expect(shown.stdout).toContain(`✗ No worker has ever served ${mistyped}, and 1 message waits for one.`)
  const problem = expect.stringContaining(`No worker has ever served ${mistyped}`)
  const doctor = await world.cli(['doctor', '--json'], { env: { WECHAT_API_BASE_URL: 'http://127.0.0.1:1' } })
  expect(doctor.code).toBe(1)
  expect(documentOf(doctor)).toMatchObject({
    problems: expect.arrayContaining([problem]),
    unserved: { items: expect.arrayContaining([{ appid: mistyped, waiting: 1, wasServed: false }]) },
  })
})

it('tells of a token that the workers did not get, of a task that runs, and of an app that was given up', async () => {
  await world.consume()
  const tokens = createTokenStore(world.store, APP)
  const claimed = await tokens.claim({ mode: 'probe', lockMs: 5000, aheadMs: 0 })
  if (claimed.kind !== 'lock') throw new Error('there is no lock')
  await claimed.lock.fail({ errcode: 40125, detail: 'invalid appsecret' }, { firstMs: 60_000, mostMs: 60_000 })
  await world.store.redis.sadd('wxo:apps', 'wx00000000000000ac')
  // No worker takes it up while the queue is paused.
  await world.store.redis.hset(world.store.backend(APP, 'dead-letter').toKey('meta'), 'paused', '1')
  const task = await createTask(world.store, APP, { action: 'replay', filter: {}, by: 'eva@ops' })
  const { stdout } = await world.cli(['status'])
  expect(stdout).toMatch(
    /✗ The workers got no token for \w+ \ds ago and ask again in \w+: 40125 invalid-appsecret: invalid appsecret \(The AppSecret .*\)\. `wxo doctor` asks/,
  )
  expect(stdout).toContain('! No worker serves wx00000000000000ac now; nothing waits for one.')
  expect(stdout).toMatch(new RegExp(`task +${task?.id} replay by eva@ops: `))
  await createTask(world.store, 'wx00000000000000ac', { action: 'discard', filter: {}, by: 'eva@ops' })
  expect((await world.cli(['status', '--app', 'wx00000000000000ac'])).stdout).toMatch(
    /^✗ No worker serves wx00000000000000ac now, and 1 task waits for one: /,
  )
})
