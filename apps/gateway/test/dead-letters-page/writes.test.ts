// What the operator's page changes: never without a preflight, never for another site, and with the name of who asked.
import { pauseApp, readTask } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { encoded, fieldsOf, PAGE, submit } from '../support/http-page.ts'
import {
  APPID,
  ask,
  basic,
  bury,
  deadIds,
  openGateway,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from '../support/world.ts'

const user = basic('operator', 'only-for-these-tests')

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  const credentials = { DASHBOARD_USER: 'operator', DASHBOARD_PASSWORD: 'only-for-these-tests' }
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, ...credentials })
}, 60_000)
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const letters = (count: number, touser: string) =>
  bury(
    world,
    Array.from({ length: count }, () => ({ touser, msgtype: 'text', text: { content: 'hello' } })),
  )
const get = (path: string) => ask(gateway.port, `GET ${path}`, { headers: user })
const post = (path: string, fields: Parameters<typeof submit>[2], headers = {}) =>
  submit(gateway, path, fields, { ...user, ...headers })

/** Opens a preflight and presses its button. Returns the id of the task. */
async function confirm(query: string, more: Record<string, string> = {}): Promise<string> {
  const { text } = await get(`${PAGE}/preflight?${query}`)
  const { status, headers } = await post(`${PAGE}/tasks`, { ...fieldsOf(text, `${PAGE}/tasks`), ...more })
  expect(status).toBe(303)
  const [, id = ''] = /^\/dead-letters\/tasks\/(r-[0-9A-Za-z]+)\?app=/.exec(headers.location ?? '') ?? []
  return id
}

/** Gives a letter another reason and another message. */
async function rewrite(id: string, name: string, message: object): Promise<void> {
  const reason = { errcode: null, name, errmsg: '', meaning: { en: '', zh: '' }, source: '' }
  const letter = { v: 1, messageId: id.replace('d-', 'm-'), message, reason, attempts: [], acceptedAt: 1, deadAt: 1 }
  await world.store.redis.hset(`{wxo:${APPID}}:dead-letter:${id}`, 'data', JSON.stringify(letter))
}

const taskOf = (id: string) => readTask(world.store, APPID, id)
const ended = (id: string) =>
  vi.waitFor(async () => expect((await taskOf(id))?.status).toBe('done'), { timeout: 20_000, interval: 20 })

it('tells before anything is done how many, of what, how many can be sent, and in what time', async () => {
  const [first = '', second = ''] = await letters(3, 'oPreflight')
  await rewrite(second, 'invalid-message', { unreadable: '{' })
  const [third = ''] = await letters(1, 'oExpired')
  await rewrite(third, 'expired', { v: 1, touser: 'oExpired', msgtype: 'text', text: { content: 'hello' } })
  await world.store.redis.del(`{wxo:${APPID}}:served`)
  const ticked = await get(
    `${PAGE}/preflight?action=replay&of=ticked&id=${first}&id=${second}&id=${third}&id=d-gone&perSecond=50`,
  )
  expect(ticked).toMatchObject({ status: 200 })
  expect(ticked.text).toContain('Replay 3 dead letters?')
  expect(ticked.text).toContain('1 of them is gone by now.')
  expect(ticked.text).toContain('1 letter cannot be read, or has lost the content')
  expect(ticked.text).toContain('1 of 3, as far as their codes tell')
  expect(ticked.text).toContain('only if the user has written again since')
  expect(ticked.text).toContain('At 50 per second about 1 second')
  expect(ticked.text).toContain('No worker serves this app now')
  await pauseApp(world.store, APPID, { why: 'maintenance' })
  const found = await get(`${PAGE}/preflight?action=discard&of=found&touser=oPreflight&lang=zh`)
  await world.store.redis.del(`{wxo:${APPID}}:hold`)
  await world.store.redis.hdel(`{wxo:${APPID}}:send:meta`, 'paused')
  expect(found.text).toContain('丢弃 3 条死信？')
  expect(found.text).toContain('此小程序已暂停（maintenance）')
  expect(found.text).toContain('丢弃不可撤销')
  const none = await get(`${PAGE}/preflight?action=replay&of=found&touser=oNobody`)
  expect(none.text).toContain('There is nothing to do')
  expect(none.text).not.toContain('method="post"')
  expect(await deadIds(world)).toHaveLength(4)
})

it('tells before a replay of how many people the reply window is open', async () => {
  const [first = '', ...others] = await letters(2, 'oOpen')
  const [shut = ''] = await letters(1, 'oShut')
  const [unknown = ''] = await letters(1, 'oUnknown')
  const ticked = `of=ticked&${[first, ...others, shut, unknown].map((id) => `id=${id}`).join('&')}`
  const read = async (query: string) => (await get(`${PAGE}/preflight?${query}`)).text
  expect(await read(`action=replay&${ticked}`)).toContain('the state of the reply windows is not known')
  for (const touser of ['oOpen', 'oShut']) await world.outbox.userActed({ touser, action: 'message' })
  await world.store.redis.hset(`{wxo:${APPID}}:window:oShut`, 'used', '5')
  expect(await read(`action=replay&${ticked}`)).toContain(
    '4: The reply windows now: 2 open, 1 closed or used up, 1 unknown. Without an open one',
  )
  expect(await read('action=replay&of=found&touser=oShut&lang=zh')).toContain(
    '开启 0 条，已关闭或条数已用完 1 条，未知 0 条',
  )
  expect(await read(`action=discard&${ticked}`)).not.toContain('reply windows')
  const list = await get(`${PAGE}?window=used-up`)
  expect(list.text.match(/name="id"/g)).toHaveLength(1)
  expect(list.text).toContain('<option value="used-up" selected>used up</option>')
  const found = await get(`${PAGE}/preflight?${encoded(fieldsOf(list.text, `${PAGE}/preflight`))}&action=discard`)
  expect(found.text).toContain('Discard 1 dead letter?')
  expect(found.text).toContain('Reply window now: used up.')
  const { headers } = await post(`${PAGE}/tasks`, fieldsOf(found.text, `${PAGE}/tasks`))
  const [id = ''] = /r-[0-9A-Za-z]+/.exec(headers.location ?? '') ?? []
  const consumer = await startUndertaker(world)
  await ended(id)
  await consumer.close(1000)
  expect(await taskOf(id)).toMatchObject({ filter: { window: ['used-up'] }, total: 1, done: 1 })
  expect(await deadIds(world)).not.toContain(shut)
  await world.store.redis.del(`{wxo:${APPID}}:windows`)
})

describe('a confirmed preflight', () => {
  it('does what it has counted: what has died since stays', async () => {
    const before = await letters(4, 'oBefore')
    const { text } = await get(`${PAGE}/preflight?action=discard&of=found&touser=oBefore`)
    const [later] = await letters(1, 'oBefore')
    const consumer = await startUndertaker(world)
    const { headers } = await post(`${PAGE}/tasks`, fieldsOf(text, `${PAGE}/tasks`))
    const id = /r-[0-9A-Za-z]+/.exec(headers.location ?? '')?.[0] ?? ''
    await ended(id)
    await consumer.close(1000)
    expect(await taskOf(id)).toMatchObject({ action: 'discard', done: 4, by: 'operator' })
    const left = await deadIds(world)
    expect(left).toContain(later)
    expect(left).not.toEqual(expect.arrayContaining([before[0]]))
    const page = await get(headers.location ?? '')
    expect(page.text).toContain('Discard: done')
    expect(page.text).toContain('4 of 4')
    expect(gateway.lines().find(({ event, task }) => event === 'dashboard.write' && task === id)).toMatchObject({
      method: 'POST',
      appid: APPID,
      action: 'discard',
      outcome: 'requested',
      user: 'operator',
    })
  })

  it('replays the ticked ones and no other, at the rate that was given', async () => {
    const [one = '', two = ''] = await letters(3, 'oTicked')
    const id = await confirm(`action=replay&of=ticked&id=${one}&id=${two}&perSecond=100`)
    const consumer = await startUndertaker(world)
    await ended(id)
    await consumer.close(1000)
    expect(await taskOf(id)).toMatchObject({ action: 'replay', filter: null, total: 2, done: 2, perSecond: 100 })
    const gone = await get(`${PAGE}/letters/${one}`)
    expect(gone).toMatchObject({ status: 404 })
    expect(gone.text).toContain('It was replayed as')
  })

  it('is followed in the list of tasks, alone and as the part that renews itself', async () => {
    await letters(2, 'oRunning')
    const id = await confirm('action=replay&of=found&touser=oRunning')
    const headers = { ...user, 'hx-request': 'true' }
    const part = await ask(gateway.port, `GET ${PAGE}/tasks?app=${APPID}`, { headers })
    expect(part.text).toMatch(/^<section id="tasks"/)
    expect(part.text).toContain(`data-hx-get="${PAGE}/tasks?app=${APPID}" data-hx-trigger="every 1s"`)
    expect((await ask(gateway.port, `GET ${PAGE}/tasks/${id}`, { headers })).text).toMatch(/^<section id="tasks"/)
    expect((await get(`${PAGE}/tasks`)).text).toContain(id)
    const cancelled = await post(`${PAGE}/tasks/${id}/cancel`, { app: APPID, takeBack: 'true' })
    expect(cancelled).toMatchObject({ status: 303 })
    expect(await taskOf(id)).toMatchObject({ status: 'cancelled', cancelledBy: expect.any(String) })
    const ending = await ask(gateway.port, `GET ${PAGE}/tasks/${id}`, { headers })
    expect(ending.text).toContain('Cancelled by')
    expect(ending.text).not.toContain('data-hx-get')
    expect(
      gateway
        .lines()
        .filter(({ task }) => task === id)
        .map(({ action }) => action),
    ).toEqual(['replay', 'take-back'])
  })
})

describe('nothing is changed', () => {
  const asked = { app: APPID, action: 'discard', of: 'found', until: new Date().toISOString() }
  const json = { 'content-type': 'application/json' }

  it.each([
    ['a page of another site', {}, { origin: 'http://elsewhere.example' }, 403],
    ['a page without an origin', {}, { origin: 'null' }, 403],
    ['a frame of another site', {}, { 'sec-fetch-site': 'cross-site' }, 403],
    ['another body', {}, json, 415],
    ['no time of a preflight', { until: '' }, {}, 400],
    ['nothing ticked', { of: 'ticked' }, {}, 400],
    ['another action', { action: 'burn' }, {}, 400],
    ['another app', { app: 'wxffffffffffffffff' }, {}, 404],
    ['a field that is not known', { all: '1' }, {}, 400],
    ['no sign-in', {}, { authorization: '' }, 401],
  ])('by %s', async (_, fields, headers, status) => {
    const before = await deadIds(world)
    expect(await post(`${PAGE}/tasks`, { ...asked, ...fields }, headers)).toMatchObject({ status })
    expect(await deadIds(world)).toEqual(before)
  })

  it('by what does not say where it comes from, as a form of any page might', async () => {
    const headers = { ...user, 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams(asked).toString()
    expect(await ask(gateway.port, `POST ${PAGE}/tasks`, { headers, body })).toMatchObject({ status: 403 })
    const own = { ...headers, 'sec-fetch-site': 'same-origin' }
    expect(await ask(gateway.port, `POST ${PAGE}/tasks/r-none/cancel`, { headers: own, body: '' })).toMatchObject({
      status: 404,
    })
  })

  it('by a page that is only looked at', async () => {
    const before = await deadIds(world)
    for (const path of ['/tasks', '/tasks/r-1/cancel'])
      expect((await get(`${PAGE}${path}?action=discard`)).status).toBeGreaterThan(399)
    expect(await deadIds(world)).toEqual(before)
  })

  it('once as many tasks run as may', async () => {
    await letters(1, 'oMany')
    for (let running = 0; ; running += 1) {
      const { status, text } = await post(`${PAGE}/tasks`, { ...asked, touser: 'oMany' })
      if (status === 303 && running < 20) continue
      expect(status).toBe(409)
      expect(text).toContain('Wait for one, or cancel one.')
      break
    }
  })
})

it('counts what another program has written among the others', async () => {
  const [first = '', odd = ''] = await letters(2, 'oOdd')
  await world.store.redis.hset(`{wxo:${APPID}}:dead-letter:${odd}`, 'data', '{"messageId":"m-x","reason":null}')
  const { status, text } = await get(`${PAGE}/preflight?action=replay&of=ticked&id=${first}&id=${odd}`)
  expect(status).toBe(200)
  expect(text).toContain('Replay 2 dead letters?')
  expect(text).toContain('1 letter cannot be read, or has lost the content')
})

it('says that Redis is away, in the same style', async () => {
  await world.redis.stop()
  const away = await ask(gateway.port, `GET ${PAGE}`, { headers: { ...user, 'accept-language': 'zh' } })
  expect(away.status).toBe(503)
  expect(away.headers['retry-after']).toBe('1')
  expect(away.text).toContain('无法连接 Redis')
  expect(away.text).toContain('<nav')
})
