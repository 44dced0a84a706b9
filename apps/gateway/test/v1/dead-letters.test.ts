import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { call, LETTERS, MESSAGES, pathsOf, textTo } from '../support/v1.ts'
import {
  APPID,
  bury,
  openGateway,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from '../support/world.ts'

let world: World
let gateway: TestGateway
let letters: string[]
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url })
  letters = await bury(
    world,
    Array.from({ length: 25 }, (_, n) => textTo(`o-${n % 2}`, `n${n}`)),
  )
}, 60_000)
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const list = (query: string) => call(gateway.url, `GET ${LETTERS}${query}`)
const idsOf = (body: { items: { id: string }[] }): string[] => body.items.map(({ id }) => id)

describe('the list', () => {
  it('is walked by its cursor, newest first, without a gap or a repeat', async () => {
    const seen: string[] = []
    const times: string[] = []
    for (let cursor = ''; ; ) {
      const { status, body } = await list(`?limit=4${cursor}`)
      expect(status).toBe(200)
      seen.push(...idsOf(body))
      times.push(...body.items.map(({ deadAt }: { deadAt: string }) => deadAt))
      if (body.next === null) break
      cursor = `&cursor=${encodeURIComponent(body.next)}`
    }
    expect(seen.toSorted()).toEqual(letters.toSorted())
    expect(times).toEqual(times.toSorted().toReversed())
  })

  it('is filtered by code, person and time, also together', async () => {
    const { body } = await list('?limit=1000')
    const { deadAt } = body.items[10]
    const deadAtMs = Date.parse(deadAt)
    const among = (keep: (item: { deadAt: string; message: { touser: string } }) => boolean): string[] =>
      idsOf({ items: body.items.filter(keep) })
    expect(idsOf((await list('?errcode=45015&limit=1000')).body)).toHaveLength(25)
    expect((await list('?errcode=40003')).body).toEqual({ items: [], next: null })
    expect((await list('?errcode=expired')).body).toEqual({ items: [], next: null })
    // A reason by its name, one code of several, one person of several, and anybody but one.
    expect(idsOf((await list('?errcode=reply-window-closed&limit=1000')).body)).toHaveLength(25)
    expect(idsOf((await list('?errcode=45047&errcode=45015&touser=o-0&touser=o-1&limit=1000')).body)).toEqual(
      idsOf(body),
    )
    expect(idsOf((await list('?notTouser=o-0&limit=1000')).body)).toEqual(
      among(({ message }) => message.touser === 'o-1'),
    )
    expect((await list('?acceptedUntil=2026-01-01T00:00:00Z')).body).toEqual({ items: [], next: null })
    expect(idsOf((await list('?touser=o-1&errcode=45015')).body)).toEqual(
      among(({ message }) => message.touser === 'o-1'),
    )
    expect(idsOf((await list(`?since=${deadAtMs}`)).body)).toEqual(among((item) => item.deadAt >= deadAt))
    expect(idsOf((await list(`?until=${encodeURIComponent(deadAt)}`)).body)).toEqual(
      among((item) => item.deadAt <= deadAt),
    )
    // The plus sign of an offset, as it is when nobody encodes it.
    const east = new Date(deadAtMs + 8 * 3_600_000).toISOString().replace('Z', '+08:00')
    expect(idsOf((await list(`?since=${east}&until=${east}`)).body)).toEqual(among((item) => item.deadAt === deadAt))
  })

  it('names every parameter that is wrong', async () => {
    const refused = await list('?errcode=no-reason&touser=a%20b&since=soon&until=1&limit=1001&color=red')
    expect({ status: refused.status, paths: new Set(pathsOf(refused)) }).toEqual({
      status: 400,
      paths: new Set(['errcode', 'touser', 'since', 'until', 'limit', 'color']),
    })
    for (const [query, path] of [
      ['?limit=0', 'limit'],
      ['?limit=1&limit=2', 'limit'],
      ['?cursor=nonsense', 'cursor'],
      [`?cursor=${Buffer.from('1.m-1').toString('base64url')}`, 'cursor'],
      ['?name=expired', 'name'],
      ['?since=1800000000001&until=1800000000000', 'since'],
    ] as const) {
      const one = await list(query)
      expect({ query, status: one.status, paths: pathsOf(one) }).toEqual({ query, status: 400, paths: [path] })
    }
  })
})

describe('a dead letter', () => {
  it('is shown whole, with its reason, and discarded for good, twice if need be', async () => {
    const [id = ''] = letters
    const { status, body } = await call(gateway.url, `GET ${LETTERS}/${id}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id,
      messageId: id.replace('d-', 'm-'),
      message: { touser: 'o-0', text: { content: 'n0' } },
      reason: { errcode: 45015, name: 'reply-window-closed', meaning: { zh: expect.any(String) } },
      attempts: [{ outcome: 'dead', errcode: 45015 }],
    })
    for (const time of [body.acceptedAt, body.deadAt, body.attempts[0].at])
      expect(time).toMatch(/^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    for (let times = 0; times < 2; times += 1) {
      const discarded = await call(gateway.url, `DELETE ${LETTERS}/${id}`)
      expect(discarded).toMatchObject({ status: 200, body: { id, status: 'discarded' } })
    }
    expect(await call(gateway.url, `GET ${LETTERS}/${id}`)).toMatchObject({ status: 404 })
    expect(await call(gateway.url, `POST ${LETTERS}/${id}:replay`)).toMatchObject({ status: 404 })
    expect(await call(gateway.url, `GET ${MESSAGES}/${id.replace('d-', 'm-')}`)).toMatchObject({
      body: { status: 'discarded' },
    })
  })

  it('is replayed under the same id however often it is asked for, before and after', async () => {
    const id = letters[1] ?? ''
    const expected = { id: `${id.replace('d-', 'm-')}-1`, replayOf: id }
    const replay = () => call(gateway.url, `POST ${LETTERS}/${id}:replay`)
    const asked = await Promise.all([replay(), replay()])
    for (const answer of [...asked, await replay()]) expect(answer).toMatchObject({ status: 202, body: expected })
    // No worker is there: the id that was given is known all the same.
    const location = asked[0].headers.get('location') ?? ''
    expect(await call(gateway.url, `GET ${location}`)).toMatchObject({
      status: 200,
      body: { id: expected.id, status: 'queued', replayOf: id },
    })
    expect(await call(gateway.url, `DELETE ${LETTERS}/${id}`)).toMatchObject({
      status: 409,
      body: { code: 'being-replayed' },
    })
    const undertaker = await startUndertaker(world)
    const again = `${id}-1`
    await vi.waitFor(
      async () => expect(await call(gateway.url, `GET ${LETTERS}/${again}`)).toMatchObject({ status: 200 }),
      20_000,
    )
    await undertaker.close(1000)
    expect(await replay()).toMatchObject({ status: 202, body: expected })
    expect(await call(gateway.url, `GET ${MESSAGES}/${id.replace('d-', 'm-')}`)).toMatchObject({
      body: { status: 'replayed', replayedAs: expected.id },
    })
    // Died again, it is a dead letter of its own.
    expect(await call(gateway.url, `POST ${LETTERS}/${again}:replay`)).toMatchObject({
      status: 202,
      body: { id: `${id.replace('d-', 'm-')}-2` },
    })
  }, 40_000)

  it('of a foreign making is shown as it stands', async () => {
    const message = { expiresAt: 8_640_000_000_000_001, sendAt: 1_800_000_000_000 }
    for (const data of [
      { message: 7, attempts: [7], deadAt: 'soon' },
      { message, attempts: 'none' },
    ]) {
      await world.store.redis.hset(`{wxo:${APPID}}:dead-letter:d-foreign`, { name: 'x', data: JSON.stringify(data) })
      const shown = message === data.message ? { ...message, sendAt: '2027-01-15T08:00:00.000Z' } : data.message
      expect(await call(gateway.url, `GET ${LETTERS}/d-foreign`)).toMatchObject({
        status: 200,
        body: { ...data, message: shown },
      })
    }
  })

  it('that cannot be read cannot be replayed', async () => {
    await world.store.redis.hset(`{wxo:${APPID}}:dead-letter:d-odd`, {
      name: 'x',
      data: JSON.stringify({ v: 1, messageId: 'm-odd', message: { unreadable: 7 }, reason: {}, attempts: [] }),
    })
    expect(await call(gateway.url, `POST ${LETTERS}/d-odd:replay`)).toMatchObject({
      status: 409,
      body: { code: 'not-replayable' },
    })
  })

  it.each(['d-unknown', 'wait', 'failed', 'd-', 'm-1', 'd-%2e%2e'])('%s is none', async (id) => {
    for (const line of [`GET ${LETTERS}/${id}`, `DELETE ${LETTERS}/${id}`, `POST ${LETTERS}/${id}:replay`]) {
      const { status, body } = await call(gateway.url, line)
      expect({ line, status, code: body.code }).toEqual({ line, status: 404, code: 'unknown-dead-letter' })
    }
  })
})
