import type { Attempt } from '@wechat-outbox/messages'
import { pauseApp, resumeApp } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import {
  APPID,
  OPENID,
  openGateway,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from './support/world.ts'

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
  await pauseApp(world.store, APPID, { why: 'moving house' })
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
    expect(queue?.displayName).toBe(`${APPID} send – suspended: 40164 ip-not-allowed`)
    expect(queue?.description).toMatch(
      /^Suspended since .*Z: 40164 ip-not-allowed\. Next probe .*Z\. wxo app resume wx.* WeChat said: no$/,
    )
  }, 15_000)
  // Paused beside it, it is both, and says so.
  await pauseApp(world.store, APPID, { why: 'moving house' })
  await vi.waitFor(async () => {
    const queue = await sendQueue()
    expect(queue?.displayName).toBe(`${APPID} send – suspended: 40164 ip-not-allowed, paused`)
    expect(queue?.description).toMatch(
      /^Suspended since .*Z: 40164 ip-not-allowed\. Paused by an operator since .*Z: moving house\. While it is paused, no message probes\. wxo app resume wx.* WeChat said: no$/,
    )
  }, 15_000)
  await resumeApp(world.store, APPID)
  await vi.waitFor(async () => expect((await sendQueue())?.displayName).toBe(`${APPID} send`), 15_000)
  await world.store.redis.hset(`{wxo:${APPID}}:send:meta`, 'paused', '1')
  await vi.waitFor(
    async () =>
      expect(await sendQueue()).toMatchObject({
        displayName: `${APPID} send – paused`,
        description: expect.stringMatching(/^Paused with BullMQ\. wxo app resume wx/),
      }),
    15_000,
  )
  await resumeApp(world.store, APPID)
})

it('shows a message that was delivered after a hold as delivered, with all of its attempts', async () => {
  const attempt = (given: Partial<Attempt>): Attempt => ({ at: Date.now(), outcome: 'suspended', ms: 1, ...given })
  let calls = 0
  const consumer = await startUndertaker(world, {
    settle: () => {
      calls += 1
      if (calls > 1) return { kind: 'delivered', attempts: [attempt({ outcome: 'delivered', errcode: 0 })] }
      return { kind: 'snooze', delayMs: 1, counts: false, attempts: [attempt({ errcode: 40164 })] }
    },
  })
  const { id } = await world.outbox.send({ touser: OPENID, msgtype: 'text', text: { content: 'x' } })
  await vi.waitFor(async () => expect((await world.outbox.status(id))?.status).toBe('delivered'), 15_000)
  await consumer.close(1000)
  const answer = await fetch(`${gateway.url}/dashboard/api/queues/${APPID}-send/${id}`)
  const { job, status } = (await answer.json()) as { job: object; status: string }
  expect({ status, job }).toMatchObject({
    status: 'completed',
    job: {
      name: 'text · oABC…Hijk',
      isFailed: false,
      stacktrace: [],
      returnValue: { attempts: [{ outcome: 'suspended', errcode: 40164 }, { outcome: 'delivered' }] },
    },
  })
}, 40_000)
