// Somebody empties Redis under a running worker and a running gateway. What was stored is gone; what comes afterwards is treated
// as if both had just been started, within a minute and without a restart.
import { connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
let redis: RedisClient
beforeEach(async () => {
  system = await startSystem()
  redis = connectRedis(system.redis.url, 'operate')
})
afterEach(async () => {
  redis?.disconnect()
  await system?.close()
})

const soon = (look: () => Promise<void>) => vi.waitFor(look, { timeout: 60_000, interval: 200 })

it('FLUSHALL: dashboard and entrance know the app again, and messages arrive', async () => {
  // The gateway is told of no app: what it knows comes from Redis.
  const base = await system.gateway({ WECHAT_APP_ID: '', WECHAT_APP_SECRET: '' })
  const queues = async (): Promise<string[]> => {
    const { queues: shown } = (await (await fetch(`${base}/dashboard/api/queues`)).json()) as {
      queues: { name: string }[]
    }
    return shown.map(({ name }) => name)
  }
  const grant = async (): Promise<{ errcode?: number; access_token?: string }> => {
    const query = new URLSearchParams({ grant_type: 'client_credential', appid: APP, secret: 'any' }).toString()
    return (await (await fetch(`${base}/cgi-bin/token?${query}`)).json()) as { errcode?: number }
  }
  const names = [`${APP}-send`, `${APP}-dead-letter`]
  await soon(async () => expect(await queues()).toEqual(names))
  expect((await grant()).access_token).toMatch(/\S/)

  await redis.flushall()
  const { id } = await system.outbox.send(text('o-flushed', 'stored afterwards'))
  await soon(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'))

  await soon(async () => expect((await grant()).access_token).toMatch(/\S/))
  await soon(async () => expect(await queues()).toEqual(names))
  const { access_token: token = '' } = await grant()
  const sent = await fetch(`${base}/cgi-bin/message/custom/send?access_token=${token}`, {
    method: 'POST',
    body: JSON.stringify(text('o-flushed', 'through the entrance')),
  })
  expect(await sent.json()).toMatchObject({ errcode: 0 })
  await soon(async () => expect(await system.fake.accepted('through the entrance')).toHaveLength(1))
}, 240_000)
