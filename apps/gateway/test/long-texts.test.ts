// TEXT_BYTES_MAX and TEXT_SPLIT: one rule, at every door of the gateway.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type EntranceWorld,
  OK,
  SHOP_KEY,
  startEntranceWorld,
  text as textToAnna,
  wechatClient,
} from './support/entrance.ts'
import { call, MESSAGES, pathsOf, textTo } from './support/v1.ts'
import { APPID, type TestGateway } from './support/world.ts'

let here: EntranceWorld
let splitting: TestGateway
let short: TestGateway
beforeAll(async () => {
  here = await startEntranceWorld()
  splitting = await here.open({ TEXT_BYTES_MAX: '10', TEXT_SPLIT: 'true' })
  short = await here.open({ TEXT_BYTES_MAX: '10' })
})
afterAll(() => here?.close())

const headers = { authorization: `Bearer ${SHOP_KEY}` }
const send = (gateway: TestGateway, body: unknown, more = {}) =>
  call(gateway.url, `POST ${MESSAGES}`, { body, headers: { ...headers, ...more } })
const look = (what: string) => call(splitting.url, what, { headers })
const contentsOf = async (touser: string): Promise<string[]> => {
  const ids = await here.world.store.redis.lrange(`{wxo:${APPID}}:lane:${touser}`, '0', '-1')
  const jobs = await Promise.all(ids.map((id) => here.world.store.redis.hget(`{wxo:${APPID}}:send:${id}`, 'data')))
  return jobs.map((job) => JSON.parse(job ?? '').text.content)
}
const LONG = 'one line\nand two\nthree'
const PARTS = ['one line', 'and two', 'three']
/** Eleven bytes that cannot be cut. */
const LINK = '<a x>y</a>!'.replace('y', 'yy')

describe('/v1', () => {
  it('cuts a long text, answers with the id of the first part, and tells of the others', async () => {
    const { status, body } = await send(splitting, textTo('o-v1', LONG), { 'idempotency-key': '"long"' })
    expect({ status, body }).toEqual({ status: 202, body: { id: body.id, status: 'queued' } })
    expect(await contentsOf('o-v1')).toEqual(PARTS)
    const again = await send(splitting, textTo('o-v1', LONG), { 'idempotency-key': '"long"' })
    expect(again).toMatchObject({ status: 200, body: { id: body.id } })
    const other = await send(splitting, textTo('o-v1', `${LONG}!`), { 'idempotency-key': '"long"' })
    expect(other.status).toBe(422)
    expect(await contentsOf('o-v1')).toEqual(PARTS)
    const parts = [body.id, `${body.id}p2`, `${body.id}p3`]
    const part = { n: 1, of: 3, first: body.id }
    expect(await look(`GET ${MESSAGES}/${body.id}`)).toMatchObject({ status: 200, body: { part, parts } })
    expect(await look(`GET ${MESSAGES}/${parts[2]}`)).toMatchObject({ status: 200, body: { part: { n: 3 } } })
    expect(await look(`DELETE ${MESSAGES}/${body.id}`)).toMatchObject({ status: 200 })
    expect(await look(`GET ${MESSAGES}/${parts[2]}`)).toMatchObject({ body: { status: 'cancelled' } })
  })

  it('does so in a batch', async () => {
    const messages = [textTo('o-batch', LONG), textTo('o-batch', LINK), textTo('o-batch', 'last')]
    const answer = await call(splitting.url, `POST ${MESSAGES}:batch`, { body: { messages }, headers })
    expect(answer).toMatchObject({ status: 207, body: { results: [{ status: 'queued' }, { status: 400 }, {}] } })
    expect(await contentsOf('o-batch')).toEqual([...PARTS, 'last'])
  })

  it('refuses by the limit that is set, also beside other problems', async () => {
    const refused = await send(short, textTo('o-short', 'elevenbytes'))
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'text.content', message: 'must be at most 10 bytes of UTF-8' }] },
    })
    expect(pathsOf(await send(short, { ...textTo('o-short', 'elevenbytes'), appid: APPID }))).toContain('text.content')
    expect(pathsOf(await send(splitting, { ...textTo('o-short', LONG), appid: APPID }))).toEqual(['appid'])
    expect((await send(here.gateway, textTo('o-short', 'elevenbytes'))).status).toBe(202)
  })
})

describe('/cgi-bin', () => {
  const sendAs = async (gateway: TestGateway, content: string) =>
    wechatClient(gateway.url).send(await here.tokenOf(SHOP_KEY), textToAnna(content))

  it('cuts a long text', async () => {
    const answer = await sendAs(splitting, LONG)
    expect(answer).toMatchObject(OK)
    expect(await contentsOf('oAnna')).toEqual(PARTS)
    expect(await here.status(answer.headers.get('outbox-message-id'))).toMatchObject({ part: { n: 1, of: 3 } })
  })

  it('says 45002 to what is longer than the limit that is set, and to what cannot be cut', async () => {
    const tooLong = (what: string) => ({ errcode: 45002, errmsg: expect.stringContaining(what) })
    expect(await sendAs(short, 'elevenbytes')).toMatchObject(tooLong('at most 10 bytes'))
    expect(await sendAs(short, 'ten bytes.')).toMatchObject(OK)
    expect(await sendAs(splitting, LINK)).toMatchObject(tooLong('a link'))
  })
})
