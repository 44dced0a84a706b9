import { FlowProducer, Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  APPID,
  ask,
  bury,
  OPENID,
  openGateway,
  SECRET_TEXT,
  startWorld,
  type TestGateway,
  type World,
} from './support/world.ts'

const DEAD = `${APPID}-dead-letter`
const SEND = `${APPID}-send`
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
  name: string
  displayName: string
  readOnlyMode: boolean
  counts: Record<string, number>
  jobs: { id: string; name: string; failedReason: string; data: Record<string, unknown> }[]
}

async function readQueues(query = ''): Promise<BoardQueue[]> {
  const { status, text } = await ask(gateway.port, `GET ${API}${query}`)
  expect(status).toBe(200)
  return (JSON.parse(text) as { queues: BoardQueue[] }).queues
}

describe('the queues', () => {
  it('shows both of the configured app from the start, the message queue read-only', async () => {
    await vi.waitFor(async () => expect(await readQueues()).toHaveLength(2), 20_000)
    expect(
      (await readQueues()).map(({ name, displayName, readOnlyMode }) => ({ name, displayName, readOnlyMode })),
    ).toEqual([
      { name: SEND, displayName: `${APPID} send`, readOnlyMode: true },
      { name: DEAD, displayName: `${APPID} dead letters`, readOnlyMode: false },
    ])
  })

  it('shows an app whose first worker starts later, and only appids', async () => {
    const later = 'wx00000000000000aa'
    await world.store.redis.sadd('wxo:apps', later, 'no-appid')
    const names = async () => (await readQueues()).map(({ name }) => name)
    await vi.waitFor(async () => expect(await names()).toContain(`${later}-send`), { timeout: 10_000 })
    expect(await names()).toHaveLength(4)
    await world.store.redis.srem('wxo:apps', later, 'no-appid')
    await vi.waitFor(async () => expect(await names()).toHaveLength(2), { timeout: 10_000 })
  }, 25_000)
})

it('marks the messages that wait for their users', async () => {
  const later = { msgtype: 'text', text: { content: 'later' }, sendAt: Date.now() + 3_600_000 } as const
  const { id } = await world.outbox.send({ ...later, touser: 'oAwaits' })
  const { id: other } = await world.outbox.send({ ...later, touser: 'oWaits' })
  await world.store.redis.hset(`{wxo:${APPID}}:send:${id}`, 'parked', 'user')
  const send = (await readQueues(`?activeQueue=${SEND}&status=delayed`)).find(({ name }) => name === SEND)
  expect(send?.jobs.find((job) => job.id === id)?.name).toMatch(/^text · \S+ · waits for its user$/)
  expect(send?.jobs.find((job) => job.id === other)?.name).toMatch(/^text · \S+$/)
  expect((await ask(gateway.port, `GET ${API}/${SEND}/${id}`)).text).toContain('waits for its user')
  for (const one of [id, other]) await world.outbox.cancel(one)
})

describe('what there cannot be', () => {
  const keyNames = async (queue: string) => {
    const prefix = `{wxo:${APPID}}:${queue}:`
    const keys = await world.store.redis.keys(`${prefix.replaceAll(/[{}]/g, '?')}*`)
    return keys.map((key) => key.slice(prefix.length)).filter((name) => !/^[md]-/.test(name))
  }
  const odd = [
    '%25',
    '%2525',
    '%00',
    '%ff',
    '__proto__',
    'constructor',
    'x'.repeat(90),
    '-1',
    '1e999',
    '9'.repeat(25),
    '%F0%9F%92%A9',
  ]

  it('is a client’s fault, in pages, states, queues and ids, masked or not', async () => {
    await bury(world, [{ msgtype: 'text', text: { content: 'x' } }])
    await world.outbox.send({ touser: OPENID, msgtype: 'text', text: { content: 'x' } })
    // As any other program's Queue leaves it behind.
    await world.store.redis.hset(`{wxo:${APPID}}:send:meta`, 'opts.maxLenEvents', '10000')
    const open = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, DASHBOARD_SHOW_CONTENT: 'true' })
    const names: Record<string, string[]> = { [SEND]: await keyNames('send'), [DEAD]: await keyNames('dead-letter') }
    expect(names[SEND]).toEqual(expect.arrayContaining(['events', 'meta']))
    const lines = [SEND, DEAD].flatMap((queue) => [
      ...['activeQueue', 'status', 'page', 'jobsPerPage', 'sort', 'query'].flatMap((parameter) =>
        odd.map((value) => `${API}?activeQueue=${queue}&status=failed&page=1&jobsPerPage=1&${parameter}=${value}`),
      ),
      ...odd.map((value) => `${API}?activeQueue=${value}`),
      ...['page', 'jobsPerPage'].flatMap((parameter) =>
        odd.map((value) => `${API}?activeQueue=${queue}&status=failed&${parameter}=${value}`),
      ),
      ...[...odd, ...(names[queue] ?? [])].flatMap((id) =>
        ['', '/logs', '/flow'].map((end) => `${API}/${queue}/${id}${end}`),
      ),
      ...odd.flatMap((value) => [
        `${API}/${value}/m-1`,
        `${API}/${value}/metrics`,
        `/dashboard/queue/${value}?status=${value}`,
      ]),
    ])
    const failed: string[] = []
    for (const { port } of [gateway, open])
      for (const line of lines) {
        const { status } = await ask(port, `GET ${line}`)
        if (status >= 500) failed.push(`${status} ${line}`)
      }
    expect(failed).toEqual([])
    for (const [queue, ids] of Object.entries(names))
      for (const id of ids) expect(await ask(open.port, `GET ${API}/${queue}/${id}`)).toMatchObject({ status: 404 })
    await open.close()
  }, 60_000)
})

describe('masking', () => {
  const messages = [
    { msgtype: 'text', text: { content: SECRET_TEXT }, metadata: { order: 'ORDER-77', deep: { note: 'NOTE-88' } } },
    { msgtype: 'image', image: { media_id: 'MEDIA-99' } },
    { msgtype: 'image', image: { url: 'https://shop.example/PICTURE-12' } },
    {
      msgtype: 'link',
      link: {
        title: 'TITLE-11',
        description: 'DESC-22',
        url: 'https://shop.example/URL-33',
        thumb_url: 'https://shop.example/THUMB-44',
      },
    },
    {
      msgtype: 'miniprogrampage',
      miniprogrampage: { title: 'PAGE-55', pagepath: 'pages/PATH-66', thumb_media_id: 'THUMB-77' },
    },
    {
      msgtype: 'miniprogrampage',
      miniprogrampage: { title: 'PAGE-56', pagepath: 'pages/PATH-67', thumb_url: 'https://shop.example/CARD-13' },
    },
  ]
  const secrets = [SECRET_TEXT, OPENID.slice(0, -1), ...JSON.stringify(messages).matchAll(/[A-Z]+-\d\d/g)].map(String)
  let ids: string[]
  beforeAll(async () => {
    ids = await bury(world, messages)
    // Only the first message to a person waits for a worker, so each goes to a person of its own.
    for (const [n, message] of messages.entries())
      await world.outbox.send({ touser: `${OPENID.slice(0, -1)}${n}`, ...message } as never)
  })

  it('hides content in both queues, in lists and in single jobs, and keeps the reason', async () => {
    const lists = await Promise.all([
      ask(gateway.port, `GET ${API}?activeQueue=${DEAD}&status=failed&page=1&jobsPerPage=50`),
      ask(gateway.port, `GET ${API}?activeQueue=${SEND}&status=waiting&page=1&jobsPerPage=50`),
      ...ids.map((id) => ask(gateway.port, `GET ${API}/${DEAD}/${id}`)),
    ])
    for (const { status, text } of lists) {
      expect(status).toBe(200)
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
    }
    const dead = (JSON.parse(lists[0]?.text ?? '') as { queues: BoardQueue[] }).queues.find(({ name }) => name === DEAD)
    const letter = dead?.jobs.find(({ name }) => name.startsWith('text'))
    expect(letter?.name).toBe('text · 45015 reply-window-closed · oABC…Hijk')
    expect(letter?.failedReason).toBe('45015 reply-window-closed: response out of time limit')
    expect(letter?.data).toMatchObject({
      message: {
        v: 1,
        touser: 'oABC…Hijk',
        msgtype: 'text',
        text: { content: `••• (${SECRET_TEXT.length} characters)` },
        metadata: '••• (2 fields)',
      },
      reason: { errcode: 45015, name: 'reply-window-closed' },
      attempts: [{ outcome: 'dead', errcode: 45015 }],
    })
    const sent = (JSON.parse(lists[1]?.text ?? '') as { queues: BoardQueue[] }).queues.find(({ name }) => name === SEND)
    expect(sent?.jobs.map(({ name }) => name.split(' · ')[0]).sort()).toEqual([
      'image',
      'image',
      'link',
      'miniprogrampage',
      'miniprogrampage',
      'text',
    ])
  })

  it('shows content where it is asked for', async () => {
    const open = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, DASHBOARD_SHOW_CONTENT: 'true' })
    await vi.waitFor(async () => {
      const { text } = await ask(open.port, `GET ${API}?activeQueue=${DEAD}&status=failed&page=1&jobsPerPage=50`)
      expect(secrets.filter((secret) => !text.includes(secret))).toEqual([])
      expect(text).toContain('text · 45015 reply-window-closed')
    }, 20_000)
    await open.close()
  })

  it('hides content that WeChat repeats, in the failure, the reason and the attempts', async () => {
    const [id = ''] = ids
    const key = `{wxo:${APPID}}:dead-letter:${id}`
    const errmsg = `content ${SECRET_TEXT} refused`
    const data = JSON.parse((await world.store.redis.hget(key, 'data')) ?? '{}') as {
      reason: object
      attempts: object[]
    }
    const repeated = {
      ...data,
      reason: { ...data.reason, errmsg },
      attempts: data.attempts.map((one) => ({ ...one, errmsg })),
    }
    const failedReason = `45015 reply-window-closed: ${errmsg}`
    await world.store.redis.hset(key, {
      data: JSON.stringify(repeated),
      failedReason,
      stacktrace: JSON.stringify([errmsg]),
    })
    for (const path of [`${API}/${DEAD}/${id}`, `${API}?activeQueue=${DEAD}&status=failed&page=1&jobsPerPage=50`]) {
      const { status, text } = await ask(gateway.port, `GET ${path}`)
      expect(status).toBe(200)
      expect(text).not.toMatch(/493817|验证码/)
      expect(text).toContain('45015 reply-window-closed: content ••• refused')
    }
  })

  it('hides whatever other programs have added: names, options, logs, flows and schedulers', async () => {
    const options = { connection: world.store.redis, prefix: `{wxo:${APPID}}` }
    const queue = new Queue('send', options)
    const flows = new FlowProducer(options)
    const HAND = 'PIN-493817'
    const job = await queue.add(HAND, { [HAND]: HAND, v: 493817 }, { jobId: HAND, deduplication: { id: HAND } })
    await job.log(HAND)
    await job.updateProgress({ [HAND]: HAND })
    const flow = await flows.add({
      name: HAND,
      queueName: 'send',
      opts: { jobId: 'm-parent' },
      children: [{ name: HAND, queueName: 'send', data: { [HAND]: HAND }, opts: { jobId: 'm-child' } }],
    })
    await queue.upsertJobScheduler(HAND, { every: 3_600_000 }, { name: HAND, data: { [HAND]: HAND } })
    const asked = [
      `${API}?activeQueue=${SEND}&status=latest&page=1&jobsPerPage=50`,
      `/dashboard/api/job-schedulers`,
      ...[HAND, 'm-parent', 'm-child'].flatMap((id) =>
        ['', '/logs', '/flow'].map((end) => `${API}/${SEND}/${id}${end}`),
      ),
      ...['metrics', 'default-job-options', 'workers', 'rate-limit', 'job-data-schema'].map(
        (end) => `${API}/${SEND}/${end}`,
      ),
    ]
    for (const path of asked) {
      const { status, text } = await ask(gateway.port, `GET ${path}`)
      // Workers are shown nowhere.
      expect({ path, status }).toEqual({ path, status: path.endsWith('/workers') ? 403 : 200 })
      expect({ path, shown: /493817|PIN/.test(text) }).toEqual({ path, shown: false })
    }
    await queue.removeJobScheduler(HAND)
    await flow.job.remove()
    await queue.remove(HAND)
    await flows.close()
  })

  it('hides data that nobody knows', async () => {
    const queue = new Queue('dead-letter', { connection: world.store.redis, prefix: `{wxo:${APPID}}` })
    await queue.add(
      'SECRET name',
      { message: 'SECRET-1', reason: 'SECRET-2', own: ['SECRET-3'], v: 'SECRET-4' },
      { jobId: 'x-1' },
    )
    const { text } = await ask(gateway.port, `GET ${API}/${DEAD}/x-1`)
    expect(text).toContain('•••')
    expect(text).not.toContain('SECRET')
    await queue.remove('x-1')
  })
})
