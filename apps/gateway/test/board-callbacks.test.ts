import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import {
  APPID,
  ask,
  OPENID,
  openGateway,
  SECRET_TEXT,
  startWorld,
  type TestGateway,
  type World,
} from './support/world.ts'

const API = '/dashboard/api/queues'

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID })
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

interface BoardQueue {
  readonly name: string
  readonly jobs: readonly { readonly name: string }[]
}

async function readQueues(query = ''): Promise<BoardQueue[]> {
  const { text } = await ask(gateway.port, `GET ${API}${query}`)
  return (JSON.parse(text) as { queues: BoardQueue[] }).queues
}

it('what a receiver is told is shown where there is any, masked and read-only', async () => {
  const key = (name: string): string => `{wxo:${APPID}}:callback:${name}`
  const data = {
    id: 'm-0123456789abcdefghij',
    appid: APPID,
    touser: OPENID,
    msgtype: 'text',
    status: 'dead',
    reason: 'expired',
    attempts: 2,
    metadata: { note: SECRET_TEXT },
  }
  await world.store.redis.hset(key('c-1-dead'), {
    name: 'message.dead',
    data: JSON.stringify(data),
    timestamp: Date.now(),
    failedReason: 'status 500',
  })
  await world.store.redis.zadd(key('failed'), Date.now(), 'c-1-dead')
  await vi.waitFor(async () => expect(await readQueues()).toHaveLength(3), { timeout: 10_000 })
  const queues = await readQueues(`?activeQueue=${APPID}-callback&status=failed`)
  const queue = queues.find(({ name }) => name === `${APPID}-callback`)
  expect(queue).toMatchObject({ displayName: `${APPID} callbacks`, readOnlyMode: true, counts: { failed: 1 } })
  const [job] = queue?.jobs ?? []
  expect(job).toMatchObject({
    id: 'c-1-dead',
    failedReason: 'status 500',
    data: { msgtype: 'text', status: 'dead', reason: 'expired', attempts: 2 },
  })
  expect(job?.name).toMatch(/^message\.dead · \S+…\S+$/)
  expect(JSON.stringify(queue)).not.toContain(OPENID)
  expect(JSON.stringify(queue)).not.toContain(SECRET_TEXT)
  expect(await ask(gateway.port, `GET ${API}/${APPID}-callback/hold`)).toMatchObject({ status: 404 })
  await world.store.redis.del(key('c-1-dead'), key('failed'))
  await vi.waitFor(async () => expect(await readQueues()).toHaveLength(2), { timeout: 10_000 })
}, 25_000)
