// With content that does not stay, nothing of what was sent is found anywhere once it has ended: not in Redis, its append-only file
// rewritten, and not in what the processes have written at the level `debug`.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connectRedis, type RedisClient, whenReady } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { found } from '../../packages/outbox/test/support/redis-bytes.ts'
import { APP, SECRET as APP_SECRET, type System, startSystem, text } from './support/system.ts'

/** Stands in everything that is content, and nowhere else. */
const CONTENT = 'Confidential4711'
const PERSON = 'oPerson4712'
const PNG = Buffer.from(`\x89PNG\r\n\x1A\n ${CONTENT}`, 'latin1')

const pictures = createServer(({ url = '' }, response) =>
  url.includes('gone')
    ? void response.writeHead(404).end(CONTENT)
    : void response.writeHead(200, { 'x-name': CONTENT }).end(PNG),
)
let system: System
let redis: RedisClient
let pictureUrl: string
beforeAll(async () => {
  await new Promise<void>((resolve) => pictures.listen(0, '127.0.0.1', resolve))
  pictureUrl = `http://127.0.0.1:${(pictures.address() as AddressInfo).port}/${CONTENT}.png?key=${CONTENT}`
  const env = {
    RETAIN_CONTENT: 'false',
    RETAIN_DEAD_CONTENT_DAYS: '0',
    MEDIA_ALLOWED_HOSTS: '127.0.0.1',
    RETRY_ATTEMPTS_MAX: '2',
    TEXT_SPLIT: 'true',
    LOG_LEVEL: 'debug',
  }
  system = await startSystem({ workers: 2, env })
  redis = connectRedis(system.redis.url, 'operate')
  await whenReady(redis, 5000)
}, 60_000)
afterAll(async () => {
  redis?.disconnect()
  await system?.close()
  pictures.close()
}, 60_000)

const ended = (id: string, expected: string) =>
  vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe(expected), {
    timeout: 30_000,
    interval: 50,
  })

async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }
  return (await (await fetch(url, init)).json()) as Record<string, unknown>
}

/** One message of each kind by each way, to their ends. Returns the ids of what is dead. */
async function sendAll(): Promise<string[]> {
  const gateway = await system.gateway()
  const v1 = `${gateway}/v1/apps/${APP}/messages`
  const to = (n: number) => `${PERSON}-${n}`
  const { outbox } = system
  const delivered = [
    await outbox.send({ ...text(to(1), CONTENT), idempotencyKey: `key of ${CONTENT}` }),
    await outbox.send({ touser: to(2), msgtype: 'image', image: { url: pictureUrl } }),
    await outbox.send({ touser: to(3), msgtype: 'image', image: { media_id: CONTENT } }),
    await outbox.send({
      touser: to(4),
      msgtype: 'miniprogrampage',
      miniprogrampage: { title: CONTENT, pagepath: CONTENT, thumb_url: `${pictureUrl}&thumb` },
    }),
    await outbox.send({
      touser: to(5),
      msgtype: 'link',
      link: { title: CONTENT, description: CONTENT, url: `https://${CONTENT}.example`, thumb_url: pictureUrl },
    }),
  ].map(({ id }) => id)
  const { id: long } = await post(v1, text(to(6), Array.from({ length: 400 }, () => CONTENT).join(' ')))
  expect(String(long)).toMatch(/^m-/)
  delivered.push(String(long), `${String(long)}p2`)
  const query = new URLSearchParams({ grant_type: 'client_credential', appid: APP, secret: APP_SECRET })
  const { access_token: token } = (await (await fetch(`${gateway}/cgi-bin/token?${String(query)}`)).json()) as Record<
    string,
    string
  >
  const entrance = `${gateway}/cgi-bin/message/custom/send?access_token=${token}`
  expect(await post(entrance, text(to(7), CONTENT))).toMatchObject({ errcode: 0 })
  await system.fake.fault({ endpoint: 'send', times: 1, fault: { name: 'errcode', errcode: -1 } })
  delivered.push((await outbox.send(text(to(8), CONTENT))).id)
  for (const id of delivered) await ended(id, 'delivered')
  // Refused before it is stored.
  expect((await fetch(v1, { method: 'POST', body: `{"touser":"${CONTENT}` })).status).toBe(415)
  expect(await post(v1, { ...text(to(9), CONTENT), [CONTENT]: CONTENT })).toMatchObject({ status: 400 })
  const taken = await outbox.send({ ...text(to(9), CONTENT), sendAt: Date.now() + 3_600_000 })
  await outbox.cancel(taken.id)
  const gone = await outbox.send({ touser: to(10), msgtype: 'image', image: { url: `${pictureUrl}&gone` } })
  await ended(gone.id, 'dead')
  await system.fake.fault({ endpoint: 'send', times: 1, fault: { name: 'errcode', errcode: 40_003 } })
  const refused = await outbox.send(text(to(11), CONTENT))
  await ended(refused.id, 'dead')
  return [gone.id, refused.id]
}

it('what was delivered, dead or cancelled leaves no byte of its content, and a forgotten person none of theirs', async () => {
  const dead = await sendAll()
  // A worker sweeps when it starts.
  await system.worker()
  const stripped = () =>
    vi.waitFor(
      async () => {
        for (const id of dead) expect(await system.outbox.status(id)).toMatchObject({ contentRemoved: true })
      },
      { timeout: 40_000, interval: 100 },
    )
  await stripped()
  expect((await system.fake.sends()).filter(({ rawBody }) => rawBody.includes(CONTENT)).length).toBeGreaterThan(7)
  expect(await found({ redis }, [CONTENT])).toEqual([])
  expect(system.output()).toContain('"media.uploaded"')
  expect(system.output()).not.toContain(CONTENT)

  expect(await found({ redis }, [PERSON])).toEqual([PERSON])
  for (let n = 1; n <= 11; n += 1) {
    const { code, stderr } = await system.wxo('forget', `${PERSON}-${n}`, '--app', APP, '--yes')
    expect(code, stderr).toBe(0)
  }
  expect(await found({ redis }, [PERSON])).toEqual([])
}, 120_000)
