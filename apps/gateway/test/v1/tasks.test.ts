import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { call, LETTERS, MESSAGES, pathsOf, textTo } from '../support/v1.ts'
import {
  APPID,
  bury,
  deadIds,
  EXPOSED,
  KEY,
  openGateway,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from '../support/world.ts'

const APP = `/v1/apps/${APPID}`
const TASKS = `${APP}/tasks`
const COUNT = `${LETTERS}:count`

let world: World
let gateway: TestGateway
let letters: string[]
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url })
  letters = await bury(
    world,
    Array.from({ length: 24 }, (_, n) => textTo(`o-${n % 4}`, `n${n}`)),
  )
}, 60_000)
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const create = (body: unknown) => call(gateway.url, `POST ${TASKS}`, { body })

describe('the counts', () => {
  it('tell how many there are, by code, person and hour, with every filter', async () => {
    expect(await call(gateway.url, `GET ${COUNT}`)).toMatchObject({
      status: 200,
      body: { total: 24, counts: [{ key: '45015', count: 24 }], others: 0 },
    })
    const total = async (query: string) => (await call(gateway.url, `GET ${COUNT}?${query}`)).body.total
    expect(await total('errcode=45015&errcode=45047')).toBe(24)
    expect(await total('errcode=reply-window-closed&touser=o-1&touser=o-2')).toBe(12)
    expect(await total('notTouser=o-1')).toBe(18)
    expect(await total(`since=${Date.now()}`)).toBe(0)
    expect(await total('acceptedUntil=2026-01-01T00:00:00Z&limit=3')).toBe(0)
    expect(await total('limit=3')).toBe(3)
    expect(await total('window=open&window=closed')).toBe(0)
    expect(await total('window=unknown&touser=o-1')).toBe(6)
    const { body } = await call(gateway.url, `GET ${COUNT}?by=touser`)
    expect(body.counts).toEqual([0, 1, 2, 3].map((n) => ({ key: `o-${n}`, count: 6 })))
  })

  it.each([
    ['by=colour', ['by']],
    ['errcode=no-such-reason', ['errcode']],
    ['touser=a%20b&limit=0', ['touser', 'limit']],
    ['since=1800000000001&until=1800000000000', ['since']],
    ['window=shut', ['window']],
  ])('refuse %s by its path', async (query, paths) => {
    const refused = await call(gateway.url, `GET ${COUNT}?${query}`)
    expect({ status: refused.status, paths: pathsOf(refused) }).toEqual({ status: 400, paths })
  })
})

describe('a task', () => {
  it('is only counted in a dry run', async () => {
    const asked = { action: 'replay', filter: { errcode: 45015, notTouser: 'o-3' }, dryRun: true }
    expect(await create(asked)).toMatchObject({
      status: 200,
      body: {
        dryRun: true,
        action: 'replay',
        total: 18,
        counts: [{ key: '45015', count: 18 }],
        others: 0,
        windows: [{ key: 'unknown', count: 18 }],
      },
    })
    await world.outbox.userActed({ touser: 'o-0', action: 'message' })
    const open = { key: 'open', count: 6 }
    expect((await create(asked)).body.windows).toEqual([open, { key: 'unknown', count: 12 }])
    const filter = { ...asked.filter, window: 'open' }
    expect((await create({ ...asked, filter })).body).toMatchObject({ total: 6, windows: [open] })
    expect((await create({ action: 'discard', ids: [letters[0], 'd-none'], dryRun: true })).body).toMatchObject({
      total: 1,
      windows: [{ key: 'open', count: 1 }],
    })
    await world.store.redis.del(`{wxo:${APPID}}:windows`, `{wxo:${APPID}}:window:o-0`)
    expect((await call(gateway.url, `GET ${TASKS}`)).body).toEqual({ items: [] })
    expect(await deadIds(world)).toHaveLength(24)
  })

  it('is stored, carried out by a worker, and followed to its end', async () => {
    const filter = { touser: ['o-0', 'o-1'], errcode: '45015', limit: 5 }
    const created = await create({ action: 'discard', filter, perSecond: 100 })
    expect(created).toMatchObject({
      status: 202,
      body: {
        action: 'discard',
        filter: { touser: ['o-0', 'o-1'], errcode: ['45015'], limit: 5 },
        status: 'running',
        total: null,
        done: 0,
        perSecond: 100,
        by: 'local',
      },
    })
    const location = created.headers.get('location') ?? ''
    expect(location).toBe(`${TASKS}/${created.body.id}`)
    const undertaker = await startUndertaker(world)
    await vi.waitFor(
      async () =>
        expect((await call(gateway.url, `GET ${location}`)).body).toMatchObject({ status: 'done', total: 5, done: 5 }),
      20_000,
    )
    await undertaker.close(1000)
    const gone = letters.filter((_, n) => n % 4 < 2).slice(0, 5)
    const left = await deadIds(world)
    expect(left).toHaveLength(19)
    for (const id of gone) expect(left).not.toContain(id)
    expect(await call(gateway.url, `GET ${TASKS}`)).toMatchObject({ body: { items: [{ id: created.body.id }] } })
  })

  it('is cancelled, and what it has replayed and nobody has sent is taken back', async () => {
    expect(await call(gateway.url, `POST ${APP}:pause`, { body: { why: 'a test' } })).toMatchObject({
      status: 200,
      body: { appid: APPID, changed: true },
    })
    const ids = letters.slice(-3)
    const { body: task } = await create({ action: 'replay', ids })
    const undertaker = await startUndertaker(world)
    const at = `${TASKS}/${task.id}`
    await vi.waitFor(async () => expect((await call(gateway.url, `GET ${at}`)).body.status).toBe('done'), 20_000)
    const replay = `${MESSAGES}/${ids[0]?.replace('d-', 'm-')}-1`
    expect((await call(gateway.url, `GET ${replay}`)).body.status).toBe('queued')
    expect((await call(gateway.url, `DELETE ${at}`)).body).toMatchObject({ status: 'done', takenBack: 0 })
    for (let times = 0; times < 2; times += 1) {
      expect(await call(gateway.url, `DELETE ${at}?takeBack=true`)).toMatchObject({
        status: 200,
        body: { status: 'cancelled', done: 3, takenBack: 3, cancelledBy: 'local' },
      })
    }
    expect(await call(gateway.url, `GET ${replay}`)).toMatchObject({ status: 404 })
    for (const id of ids) expect((await call(gateway.url, `GET ${LETTERS}/${id}`)).body).toMatchObject({ id })
    expect(await call(gateway.url, `POST ${APP}:resume`)).toMatchObject({ status: 200, body: { changed: true } })
    expect(await call(gateway.url, `POST ${APP}:resume`)).toMatchObject({ status: 200, body: { changed: false } })
    await undertaker.close(1000)
  })

  it('is one of eight that may run', async () => {
    const running: string[] = []
    for (let n = 0; n < 8; n += 1) running.push((await create({ action: 'discard', ids: ['d-none'] })).body.id)
    expect(await create({ action: 'discard', ids: ['d-none'] })).toMatchObject({
      status: 409,
      body: { code: 'too-many-tasks' },
    })
    for (const id of running)
      expect(await call(gateway.url, `DELETE ${TASKS}/${id}`)).toMatchObject({ body: { status: 'cancelled' } })
  })

  it.each([
    [{}, ['action']],
    [{ action: 'replay' }, ['filter']],
    [{ action: 'resend', filter: {} }, ['action']],
    [{ action: 'replay', filter: {}, ids: ['d-1'] }, ['filter']],
    [{ action: 'replay', filter: { errcode: 'no-such' } }, ['filter.errcode']],
    [{ action: 'replay', filter: { since: 5, window: 'shut' } }, ['filter.since', 'filter.window']],
    [{ action: 'replay', ids: ['m-1'] }, ['ids.0']],
    [{ action: 'replay', filter: {}, perSecond: 0, extra: 1 }, ['perSecond', 'extra']],
    [[], ['']],
  ])('that asks for %j is refused by its paths', async (body, paths) => {
    const refused = await create(body)
    expect({ status: refused.status, paths: new Set(pathsOf(refused)) }).toEqual({ status: 400, paths: new Set(paths) })
  })

  it('may name ten thousand ids, and no more', async () => {
    const ids = (count: number) => Array.from({ length: count }, (_, n) => `d-${String(n).padStart(64, '0')}`)
    const created = await create({ action: 'replay', ids: ids(10_000) })
    expect(created.status).toBe(202)
    await call(gateway.url, `DELETE ${TASKS}/${created.body.id}`)
    expect(pathsOf(await create({ action: 'replay', ids: ids(10_001) }))).toEqual(['ids'])
  })

  it('that nobody knows is 404, and an app that no worker has served has none', async () => {
    for (const line of [`GET ${TASKS}/r-none`, `DELETE ${TASKS}/r-none`, `GET ${TASKS}/x`, `DELETE ${TASKS}/letters`])
      expect(await call(gateway.url, line)).toMatchObject({ status: 404, body: { code: 'unknown-task' } })
    expect(pathsOf(await call(gateway.url, `DELETE ${TASKS}/r-none?takeBack=perhaps`))).toEqual(['takeBack'])
    const other = '/v1/apps/wx00000000000000ff'
    for (const path of [`${other}/tasks`, `${other}:pause`, `${other}:resume`]) {
      const refused = await call(gateway.url, `POST ${path}`, { body: { action: 'replay', filter: {} } })
      expect(refused).toMatchObject({ status: 404, body: { code: 'unknown-app' } })
    }
  })
})

it('lists every app with what holds it and what waits', async () => {
  await call(gateway.url, `POST ${APP}:pause`, { body: { why: 'a talk with support' } })
  expect(await call(gateway.url, 'GET /v1/apps')).toMatchObject({
    status: 200,
    body: {
      items: [
        {
          appid: APPID,
          state: 'paused',
          reason: 'a talk with support',
          waitingForUser: 0,
          deadLetters: 19,
          served: true,
        },
      ],
    },
  })
  await call(gateway.url, `POST ${APP}:resume`)
  expect((await call(gateway.url, 'GET /v1/apps')).body.items[0]).toMatchObject({ state: 'open', reason: null })
  expect(pathsOf(await call(gateway.url, `POST ${APP}:pause`, { body: { reason: 'x' } }))).toEqual(['reason'])
  expect(await call(gateway.url, `POST ${APP}:pause`)).toMatchObject({ status: 200, body: { changed: true } })
  await call(gateway.url, `POST ${APP}:resume`)
})

it('takes the rights that replaying and reading take, and keeps who started a task', async () => {
  const exposed = await openGateway({ REDIS_URL: world.redis.url, ...EXPOSED })
  const url = `http://127.0.0.1:${exposed.port}`
  const lines = [
    `GET ${COUNT}`,
    `POST ${TASKS}`,
    `GET ${TASKS}`,
    `DELETE ${TASKS}/r-1`,
    'GET /v1/apps',
    `POST ${APP}:pause`,
  ]
  for (const line of lines) {
    const refused = await call(url, line, line.startsWith('POST') ? { body: {} } : {})
    expect({ line, status: refused.status }).toEqual({ line, status: 401 })
  }
  const headers = { authorization: `Bearer ${KEY}` }
  const { body } = await call(url, `POST ${TASKS}`, { headers, body: { action: 'discard', ids: ['d-none'] } })
  expect(body.by).toMatch(/^[\w.-]+$/)
  expect(body.by).not.toContain(KEY)
  await call(url, `DELETE ${TASKS}/${body.id}`, { headers })
  await exposed.close()
})
