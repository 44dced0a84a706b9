import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, MESSAGES, pathsOf, textTo } from '../support/v1.ts'
import { APPID, ask, openGateway, SECRET_TEXT, startWorld, type TestGateway, type World } from '../support/world.ts'

let world: World
let gateway: TestGateway
let url = ''
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url })
  url = gateway.url
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const send = (body: unknown, headers: Record<string, string> = {}) => call(url, `POST ${MESSAGES}`, { body, headers })
const jobOf = async (id: string): Promise<Record<string, unknown>> =>
  JSON.parse((await world.store.redis.hget(`{wxo:${APPID}}:send:${id}`, 'data')) ?? 'null')

describe('a message', () => {
  it('is accepted, is in Redis by then, and can be looked up and cancelled where Location says', async () => {
    const { status, headers, body } = await send(textTo('o-one', '您好 👋'))
    expect({ status, body }).toEqual({ status: 202, body: { id: body.id, status: 'queued' } })
    expect(await jobOf(body.id)).toEqual({ v: 1, ...textTo('o-one', '您好 👋') })
    const location = headers.get('location') ?? ''
    expect(await call(url, `GET ${location}`)).toMatchObject({ status: 200, body: { id: body.id, appid: APPID } })
    for (let times = 0; times < 2; times += 1) {
      const cancelled = await call(url, `DELETE ${location}`)
      expect(cancelled).toMatchObject({ status: 200, body: { id: body.id, status: 'cancelled' } })
    }
    expect(await call(url, `GET ${location}`)).toMatchObject({ body: { status: 'cancelled' } })
  })

  it('that a Node producer has stored for an app that no worker serves waits there, and can be taken back', async () => {
    const elsewhere = '/v1/apps/wxffffffffffffffff/messages'
    const request = { touser: 'o-else', msgtype: 'text' as const, text: { content: 'hello' } }
    const { id } = await world.outbox.send({ ...request, appid: 'wxffffffffffffffff' })
    expect(await call(url, `GET ${elsewhere}/${id}`)).toMatchObject({ body: { status: 'queued' } })
    expect(await call(url, `DELETE ${elsewhere}/${id}`)).toMatchObject({ body: { status: 'cancelled' } })
    expect(await call(url, `GET ${MESSAGES}/${id}`)).toMatchObject({
      status: 404,
      body: { code: 'unknown-message' },
    })
  })

  it('is stored with all that WeChat takes beside it; a key that is null counts as absent', async () => {
    const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const beside = { aimsgcontext: { is_ai_msg: 0 }, businessid: 'B', customservice: { kf_account: 'a@b' } }
    const nulls = { appid: null, image: null, sendAt: null, expiresAt: null, ifUnsure: null, metadata: null }
    const message = { ...textTo('o-beside'), ...beside, ...nulls, traceparent: null, idempotencyKey: null }
    const { status, body } = await send(message, { traceparent: trace, 'Idempotency-Key': '"beside"' })
    expect({ status, body }).toEqual({ status: 202, body: { id: body.id, status: 'queued' } })
    expect(await jobOf(body.id)).toEqual({ v: 1, ...textTo('o-beside'), ...beside, traceparent: trace })
    const batch = await call(url, `POST ${MESSAGES}:batch`, { body: { messages: [message] } })
    expect(batch).toMatchObject({ status: 207, body: { results: [{ status: 'queued' }] } })
    const named = await send({ ...textTo('o-beside'), appid: APPID })
    expect(pathsOf(named)).toEqual(['appid'])
  })

  it('that is scheduled says so', async () => {
    const body = { ...textTo('o-later'), sendAt: new Date(Date.now() + 3_600_000).toISOString() }
    expect(await send(body)).toMatchObject({ status: 202, body: { status: 'scheduled' } })
  })

  it('cannot be cancelled once a worker has it', async () => {
    const { body } = await send(textTo('o-taken'))
    await world.store.redis.set(`{wxo:${APPID}}:send:${body.id}:lock`, 'a worker', 'PX', 60_000)
    expect(await call(url, `DELETE ${MESSAGES}/${body.id}`)).toMatchObject({ status: 409, body: { code: 'too-late' } })
  })

  it('takes over the trace of its request, unless it has one of its own or the header is none', async () => {
    const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const own = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
    const stored = async (body: object, traceparent: string): Promise<unknown> =>
      (await jobOf((await send(body, { traceparent })).body.id))['traceparent']
    expect(await stored(textTo('o-trace'), trace)).toBe(trace)
    expect(await stored({ ...textTo('o-trace'), traceparent: own }, trace)).toBe(own)
    for (const none of [
      'nonsense',
      trace.toUpperCase(),
      `ff${trace.slice(2)}`,
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    ])
      expect(await stored(textTo('o-trace'), none), none).toBeUndefined()
  })
})

describe('an idempotency key', () => {
  it.each([
    ['quoted', '"order 7, \\"shipped\\""', 'order 7, "shipped"'],
    ['bare', 'order-7;shipped', 'order-7;shipped'],
  ])('%s in the header is the one in the body', async (_, header, key) => {
    const message = textTo('o-key', key)
    const first = await send(message, { 'Idempotency-Key': header })
    expect(first).toMatchObject({ status: 202 })
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    for (const again of [
      await send(message, { 'Idempotency-Key': header }),
      await send({ ...message, idempotencyKey: key }),
      await send({ ...message, idempotencyKey: key }, { 'Idempotency-Key': header }),
    ]) {
      expect(again).toMatchObject({ status: 200, body: { id: first.body.id } })
      expect(again.headers.get('idempotent-replayed')).toBe('true')
    }
    const other = await send({ ...message, ifUnsure: 'dead-letter' }, { 'Idempotency-Key': header })
    expect(other).toMatchObject({ status: 422, body: { code: 'WXO_CONFLICT', status: 422 } })
    expect(other.body['detail']).toMatch(
      /^The idempotency key .* m-\w+: take a new key for a new message; .* same body\.$/,
    )
    expect(await world.store.redis.llen(`{wxo:${APPID}}:lane:o-key`)).toBeGreaterThan(0)
  })

  it('makes one message of many requests at once', async () => {
    const many = Array.from({ length: 50 }, () => send(textTo('o-fifty'), { 'Idempotency-Key': '"fifty"' }))
    const answers = await Promise.all(many)
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1)
    expect(await world.store.redis.llen(`{wxo:${APPID}}:lane:o-fifty`)).toBe(1)
  })

  it.each(['"half', 'a b', '""', '"a", "b"', 'k'.repeat(201), '"ä"'])('%s is refused', async (header) => {
    const refused = await ask(gateway.port, `POST ${MESSAGES}`, {
      headers: { 'Idempotency-Key': header, 'content-type': 'application/json' },
      body: JSON.stringify(textTo('o-bad-key')),
    })
    expect(refused.status).toBe(400)
    expect(JSON.parse(refused.text).errors).toEqual([
      { path: expect.stringMatching(/^(?:Idempotency-Key|idempotencyKey)$/), message: expect.any(String) },
    ])
  })

  it('that differs between header and body is refused', async () => {
    const refused = await send({ ...textTo('o-two'), idempotencyKey: 'one' }, { 'Idempotency-Key': '"two"' })
    expect(refused).toMatchObject({ status: 400, body: { code: 'WXO_INVALID' } })
    expect(pathsOf(refused)).toEqual(['idempotencyKey'])
  })
})

describe('a refusal', () => {
  it('names everything that is wrong at once, wherever it stands', async () => {
    const body = { touser: 'a b', msgtype: 'text', text: { content: '', more: 1 }, appid: APPID, sendAt: 'soon' }
    const refused = await call(url, 'POST /v1/apps/wx1/messages?page=1', { body, headers: { 'Idempotency-Key': '"' } })
    expect(refused.status).toBe(400)
    expect(refused.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(refused.body).toMatchObject({
      type: 'urn:wechat-outbox:problem:WXO_INVALID',
      code: 'WXO_INVALID',
      status: 400,
    })
    expect(new Set(pathsOf(refused))).toEqual(
      new Set(['appid', 'page', 'Idempotency-Key', 'touser', 'text.content', 'text.more', 'sendAt']),
    )
  })

  it.each([
    ['', 400],
    ['{"touser":', 400],
    ['[]', 400],
    ['"text"', 400],
    ['null', 400],
    ['{"__proto__":{"a":1}}', 400],
    [`{"metadata":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400],
    [`{"touser":"${'x'.repeat(100_000)}"}`, 400],
    [`{"touser":"${'x'.repeat(300_000)}"}`, 413],
  ])('answers the body %.30s with a problem and no 5xx', async (body, status) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await ask(gateway.port, `POST ${MESSAGES}`, { headers, body })
    expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/problem+json; charset=utf-8' } })
    expect(JSON.parse(answer.text)).toMatchObject({
      status,
      type: expect.stringMatching(/^urn:wechat-outbox:problem:/),
    })
  })

  it('is given for bytes that are no UTF-8, instead of a message with other characters', async () => {
    const body = Buffer.from(JSON.stringify(textTo('o-bytes', 'é')), 'latin1')
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url + MESSAGES, { method: 'POST', headers, body })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ errors: [{ path: '', message: 'is not UTF-8' }] })
  })

  it('repeats nothing of the message', async () => {
    const refused = await send(`{"touser":"o1","text":{"content":"${SECRET_TEXT}" oops`)
    expect(refused.status).toBe(400)
    expect(JSON.stringify(refused.body)).not.toContain('493817')
    expect(gateway.text()).not.toContain('493817')
  })

  it('is told for an address or a method that there is not', async () => {
    const other: [string, number, string | null][] = [
      ['GET /v1', 404, null],
      [`GET /v1/apps/${APPID}`, 404, null],
      [`POST ${MESSAGES}:bulk`, 404, null],
      [`PUT ${MESSAGES}`, 405, 'POST, GET, HEAD'],
      [`PUT ${MESSAGES}:batch`, 405, 'POST'],
      [`PATCH ${MESSAGES}/m-1`, 405, 'GET, HEAD, DELETE'],
      [`GET /v1/apps/${APPID}/dead-letters/d-1:replay`, 405, 'POST'],
      [`GET ${MESSAGES}/wait`, 404, null],
      [`DELETE ${MESSAGES}/${'m'.repeat(70)}`, 404, null],
      [`GET ${MESSAGES}/${'m'.repeat(700)}`, 414, null],
      ['GET /v1/%zz', 400, null],
    ]
    for (const [line, status, allow] of other) {
      const answer = await call(url, line)
      expect({ line, status: answer.status, allow: answer.headers.get('allow') }).toEqual({ line, status, allow })
      expect(answer.body).toMatchObject({ status, code: expect.any(String) })
    }
  })

  it('is told for headers without end and for what is no HTTP', async () => {
    const huge = await ask(gateway.port, 'GET /v1', { headers: { 'x-huge': 'x'.repeat(20_000) } })
    expect({ status: huge.status, ...JSON.parse(huge.text) }).toMatchObject({ status: 431, code: 'headers-too-large' })
    const odd = await ask(gateway.port, 'GARBAGE /v1')
    expect({ status: odd.status, ...JSON.parse(odd.text) }).toMatchObject({ status: 400, code: 'bad-request' })
  })
})

describe('a batch', () => {
  const batch = (messages: unknown, headers: Record<string, string> = {}) =>
    call(url, `POST ${MESSAGES}:batch`, { body: { messages }, headers })

  it('answers each message by itself, with paths as they are in the batch', async () => {
    const keyed = { ...textTo('o-batch'), idempotencyKey: 'batch-1' }
    const { status, body } = await batch([
      textTo('o-batch', 'first'),
      { ...textTo('a b'), text: {} },
      keyed,
      keyed,
      { ...keyed, ifUnsure: 'resend' },
      'text',
      { ...textTo('o-batch'), appid: APPID },
    ])
    expect(status).toBe(207)
    const told = body.results.map((result: { id?: string; status: unknown; errors?: { path: string }[] }) =>
      result.id === undefined ? [result.status, result.errors?.map(({ path }) => path)] : result.status,
    )
    expect(told).toEqual([
      'queued',
      [400, ['messages.1.touser', 'messages.1.text.content']],
      'queued',
      // A repeat hears how the first stands by now: behind the other message to the same person.
      'held',
      [422, undefined],
      [400, ['messages.5']],
      [400, ['messages.6.appid']],
    ])
    expect(body.results[3].id).toBe(body.results[2].id)
    expect(await world.store.redis.lrange(`{wxo:${APPID}}:lane:o-batch`, '0', '-1')).toEqual([
      body.results[0].id,
      body.results[2].id,
    ])
  })

  it('takes a thousand messages with the longest text, in their order, and not one more', async () => {
    const long = (n: number) => ({
      ...textTo('o-thousand', '好'.repeat(680) + n),
      metadata: { note: 'x'.repeat(4000) },
    })
    const { status, body } = await batch(Array.from({ length: 1000 }, (_, n) => long(n)))
    expect(status).toBe(207)
    const ids = body.results.map(({ id }: { id: string }) => id)
    expect(await world.store.redis.lrange(`{wxo:${APPID}}:lane:o-thousand`, '0', '-1')).toEqual(ids)
    const more = await batch(Array.from({ length: 1001 }, () => textTo('o-more')))
    expect({ status: more.status, paths: pathsOf(more) }).toEqual({ status: 400, paths: ['messages'] })
    expect(await world.store.redis.exists(`{wxo:${APPID}}:lane:o-more`)).toBe(0)
  })

  it.each([
    [{}, ['messages']],
    [{ messages: {} }, ['messages']],
    [[], ['']],
    [{ messages: [], more: 1 }, ['more']],
  ])('%j is none', async (body, paths) => {
    const refused = await call(url, `POST ${MESSAGES}:batch`, { body })
    expect({ status: refused.status, paths: pathsOf(refused) }).toEqual({ status: 400, paths })
  })

  it('may be empty, and takes no key for all of its messages', async () => {
    expect(await batch([])).toMatchObject({ status: 207, body: { results: [] } })
    const refused = await batch([textTo('o-keyed')], { 'Idempotency-Key': '"all"' })
    expect({ status: refused.status, paths: pathsOf(refused) }).toEqual({ status: 400, paths: ['Idempotency-Key'] })
  })
})

it('logs the template of a route and neither ids nor recipients', async () => {
  const { body } = await send(textTo('o-logged-person'))
  await call(url, `GET ${MESSAGES}/${body.id}`)
  expect(gateway.lines()).toContainEqual(
    expect.objectContaining({ event: 'http.answered', route: '/v1/apps/:appid/messages', status: 202 }),
  )
  expect(gateway.text()).not.toMatch(/o-logged-person/)
  expect(gateway.text()).not.toContain(body.id)
})
