import { pauseApp, resumeApp } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APPID, openGateway, startWorld, type TestGateway, type World } from './support/world.ts'

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID })
})
afterAll(async () => {
  await gateway.close()
  await world.close()
})

interface ShownQueue {
  readonly displayName: string
  readonly description: string
  readonly isPaused: boolean
}

async function sendQueue(): Promise<ShownQueue | undefined> {
  const answer = await fetch(`${gateway.url}/dashboard/api/queues`)
  const { queues } = (await answer.json()) as { queues: ShownQueue[] }
  return queues.find(({ displayName }) => displayName.startsWith(`${APPID} send`))
}

it('shows that an app is held and why, in the name and the description of its queue', async () => {
  await pauseApp(world.store, APPID, 'moving house')
  await vi.waitFor(async () => {
    const queue = await sendQueue()
    expect(queue).toMatchObject({ displayName: `${APPID} send – paused`, isPaused: true })
    expect(queue?.description).toMatch(/^Paused by an operator since .*Z: moving house\. wxo app resume wx/)
  }, 15_000)
  await resumeApp(world.store, APPID)
  const now = Date.now()
  const reason = { errcode: 40164, name: 'ip-not-allowed', errmsg: 'no', meaning: { en: '', zh: '' }, source: '' }
  await world.store.redis.hset(`{wxo:${APPID}}:hold`, {
    kind: 'suspended',
    cause: 'send',
    reason: JSON.stringify(reason),
    since: now,
    until: now + 60_000,
  })
  await vi.waitFor(async () => {
    const queue = await sendQueue()
    expect(queue?.displayName).toBe(`${APPID} send – suspended`)
    expect(queue?.description).toMatch(
      /^Suspended since .*Z: 40164 ip-not-allowed\. Next probe .*Z\. wxo app resume wx.* WeChat said: no$/,
    )
  }, 15_000)
  await resumeApp(world.store, APPID)
  await vi.waitFor(async () => expect((await sendQueue())?.displayName).toBe(`${APPID} send`), 15_000)
})
