// Traces, from a service's own span to the calls to WeChat: real processes, OpenTelemetry's SDK, and a receiver that speaks its protocol.
import { join } from 'node:path'
import type { SendResult } from '@wechat-outbox/outbox'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { startProcess } from '@wechat-outbox/sandbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReceivedSpan } from './support/collector.ts'
import { APP, SECRET, text } from './support/system.ts'
import { becomes, collector, end, system, traced, useTracedSystem } from './support/traced.ts'

const SUPPORT = join(import.meta.dirname, 'support')
const GIVEN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const OTHER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const KEY = 'an-api-key-for-the-trace-tests'

useTracedSystem()

/** Sends from a service of its own, which traces. */
async function sendTraced(...requests: object[]): Promise<string[]> {
  const args = [join(SUPPORT, 'traced-producer.ts'), system.redis.url, APP, JSON.stringify(requests)]
  const producer = startProcess({ args, cwd: join(SUPPORT, '../../..'), env: traced() })
  onTestFinished(async () => void (await producer.kill9()))
  const [, receipts = '[]'] = await producer.waitForLine(/^receipts (.*)$/)
  expect((await producer.exited).code).toBe(0)
  return (JSON.parse(receipts) as SendResult[]).flatMap((result) => ('id' in result ? [result.id] : []))
}

const named = (name: RegExp): ReceivedSpan[] =>
  collector
    .spans()
    .filter((span) => name.test(span.name))
    .toSorted((a, b) => a.startMs - b.startMs)
const runs = () => named(/^process wechat-outbox$/)
const calls = () => named(/^POST \/cgi-bin\/message\/custom\/send$/)

describe('one trace', () => {
  it('leads from a service through the queue to both calls of a message that WeChat took at the second', async () => {
    await system.fake.fault({ times: 1, fault: { name: 'errcode', errcode: -1 } })
    const worker = await system.worker(traced())
    const [id = ''] = await sendTraced(text('o-S3CRET-person', 'S3CRET content'))
    await becomes(id, 'delivered')
    await end(worker)

    const [order, ...others] = named(/^order paid$/)
    const [send] = named(/^send wechat-outbox$/)
    expect(others).toEqual([])
    expect(order).toMatchObject({ parentSpanId: '' })
    expect(send).toMatchObject({ kind: 'producer', parentSpanId: order?.spanId })
    expect(send?.attributes).toMatchObject({ 'messaging.message.id': id })
    expect(runs()).toMatchObject([
      { parentSpanId: send?.spanId, attributes: { 'wxo.settlement': 'snooze', 'wxo.counts': true } },
      { parentSpanId: send?.spanId, attributes: { 'wxo.settlement': 'delivered' } },
    ])
    const [first, second] = runs()
    expect(calls()).toMatchObject([
      { parentSpanId: first?.spanId, status: 'error', attributes: { 'wechat.errcode': -1, 'error.type': '-1' } },
      { parentSpanId: second?.spanId, status: 'unset', attributes: { 'wechat.errcode': 0 } },
    ])
    expect(new Set(collector.spans().map(({ traceId }) => traceId)).size).toBe(1)
    expect(collector.spans()).toHaveLength(6)
  })

  it('says what OpenTelemetry’s conventions ask for, and nothing of the person, the content or the token', async () => {
    const named = { OTEL_SERVICE_NAME: 'shop-worker', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' }
    const worker = await system.worker({ ...traced(), ...named })
    const metadata = { note: 'S3CRET metadata' }
    const [id = ''] = await sendTraced({
      ...text('o-S3CRET-person', 'S3CRET content'),
      metadata,
      idempotencyKey: 'S3CRET key',
    })
    await becomes(id, 'delivered')
    await end(worker)

    const { hostname, port } = new URL(system.fake.url)
    const resource = { 'service.name': 'shop-worker', 'deployment.environment.name': 'test' }
    expect(runs()).toMatchObject([{ resource, kind: 'consumer', status: 'unset' }])
    expect(runs()[0]?.attributes).toEqual({
      'messaging.system': 'bullmq',
      'messaging.destination.name': 'wechat-outbox',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.message.id': id,
      'wxo.appid': APP,
      'wxo.msgtype': 'text',
      'wxo.settlement': 'delivered',
      'wxo.recorded': true,
    })
    expect(calls()).toMatchObject([{ resource, kind: 'client' }])
    expect(calls()[0]?.attributes).toEqual({
      'http.request.method': 'POST',
      'url.template': '/cgi-bin/message/custom/send',
      'server.address': hostname,
      'server.port': Number(port),
      'wechat.errcode': 0,
      'wxo.attempt': 1,
      'wxo.outcome': 'delivered',
    })
    const { tokensIssued } = await system.fake.ledger()
    expect(tokensIssued).toHaveLength(1)
    const bytes = collector.bytes().toString('latin1')
    expect(bytes).toContain(id)
    for (const secret of ['S3CRET', 'access_token', SECRET, ...tokensIssued]) expect(bytes).not.toContain(secret)
  })

  it('holds the times in their order, though the clock of the worker is ten minutes off', async () => {
    const shift = { NODE_OPTIONS: `--import=${join(SUPPORT, 'shifted-clock.ts')}`, CLOCK_SHIFT_MS: '600000' }
    const worker = await system.worker({ ...traced(), ...shift })
    const [id = ''] = await sendTraced(text('o-clock', 'hello'))
    await becomes(id, 'delivered')
    await end(worker)
    const [send] = named(/^send wechat-outbox$/)
    const [run] = runs()
    const [call] = calls()
    // Within what a clock that is measured over a connection may be off.
    expect(run?.startMs).toBeGreaterThan((send?.startMs ?? 0) - 1000)
    expect(run?.startMs).toBeLessThanOrEqual(call?.startMs ?? 0)
    expect(call?.endMs).toBeLessThanOrEqual((run?.endMs ?? 0) + 1)
  })

  it('ends in an error for a dead letter, and for each call that led to it', async () => {
    await system.fake.fault({ fault: { name: 'code-for-all', errcode: 45_015, errmsg: 'o-S3CRET-person said no' } })
    const worker = await system.worker(traced())
    const [id = ''] = await sendTraced(text('o-dead', 'hello'))
    await becomes(id, 'dead')
    await end(worker)
    const errcode = { 'wechat.errcode': 45_015 }
    expect(runs()).toMatchObject([
      {
        status: 'error',
        attributes: {
          ...errcode,
          'wxo.settlement': 'dead',
          'wxo.reason': 'reply-window-closed',
          'error.type': 'reply-window-closed',
        },
      },
    ])
    expect(calls()).toMatchObject([
      { status: 'error', attributes: { ...errcode, 'wxo.outcome': 'dead', 'error.type': '45015' } },
    ])
    expect(collector.bytes().toString('latin1')).not.toContain('S3CRET')
  })

  it('tells of calls that WeChat did not answer itself', async () => {
    await system.fake.fault({ times: 1, fault: { name: 'http503' } })
    await system.fake.fault({ times: 1, fault: 'accept-then-reset' })
    const worker = await system.worker(traced())
    const [id = ''] = await sendTraced(text('o-road', 'hello'))
    await becomes(id, 'delivered')
    await end(worker)
    expect(calls().map(({ attributes }) => attributes)).toMatchObject([
      { 'wxo.outcome': 'refused', 'http.response.status_code': 503, 'error.type': 'refused' },
      { 'wxo.outcome': 'unsure', 'error.type': 'unsure' },
      { 'wxo.outcome': 'delivered' },
    ])
    expect(calls()[1]?.attributes).not.toHaveProperty('wechat.errcode')
  }, 60_000)

  it('holds all runs of a message that brought none, in whatever worker', async () => {
    await system.fake.fault({ times: 1, fault: { name: 'errcode', errcode: -1 } })
    const first = await system.worker({ ...traced(), RETRY_BACKOFF_MS: '60000', RETRY_BACKOFF_MS_MAX: '60000' })
    const { id } = await system.outbox.send(text('o-none', 'hello'))
    await becomes(id, 'retrying')
    await end(first)
    expect(runs()).toHaveLength(1)
    await promote(id)
    const second = await system.worker(traced())
    await becomes(id, 'delivered')
    await end(second)
    expect(runs()).toMatchObject([{ parentSpanId: '' }, { parentSpanId: '' }])
    expect(calls()).toHaveLength(2)
    expect(new Set(collector.spans().map(({ traceId }) => traceId)).size).toBe(1)
    const { id: other } = await system.outbox.send(text('o-other', 'hello'))
    const third = await system.worker(traced())
    await becomes(other, 'delivered')
    await end(third)
    expect(new Set(runs().map(({ traceId }) => traceId)).size).toBe(2)
  }, 60_000)
})

/** Makes a delayed message due now, as the dashboard's button does. */
async function promote(id: string): Promise<void> {
  const redis = connectRedis(system.redis.url, 'operate')
  onTestFinished(() => redis.disconnect())
  await redis.zadd(`{wxo:${APP}}:send:delayed`, 'XX', 0, id)
}

describe('a gateway', () => {
  const post = async (url: string, headers: Record<string, string>, body: object): Promise<string> => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
      body: JSON.stringify(body),
    })
    expect(answer.ok, await answer.clone().text()).toBe(true)
    return answer.headers.get('outbox-message-id') ?? ((await answer.json()) as { id: string }).id
  }

  it('goes on with the trace of the request, or of the message where both have one', async () => {
    const worker = await system.worker(traced())
    const url = await system.gateway({ ...traced(), GATEWAY_API_KEYS: KEY })
    const token = await fetch(`${url}/cgi-bin/token?grant_type=client_credential&appid=${APP}&secret=${KEY}`)
    const { access_token: accessToken } = (await token.json()) as { access_token: string }
    const messages = `${url}/v1/apps/${APP}/messages`
    const entrance = `${url}/cgi-bin/message/custom/send?access_token=${accessToken}`
    const header = { traceparent: GIVEN }
    const cases: [id: string, parent: string][] = [
      [await post(messages, header, text('o-1', 'hello')), GIVEN],
      [await post(messages, header, { ...text('o-2', 'hello'), traceparent: OTHER }), OTHER],
      [await post(entrance, header, text('o-3', 'hello')), GIVEN],
      [await post(entrance, header, { ...text('o-4', 'hello'), traceparent: OTHER }), OTHER],
      [await post(messages, {}, text('o-5', 'hello')), ''],
    ]
    for (const [id] of cases) await becomes(id, 'delivered')
    await Promise.all([end(worker), end(system.workers[1])])
    for (const [id, parent] of cases) {
      const of = (span: ReceivedSpan): boolean => span.attributes['messaging.message.id'] === id
      const [send] = named(/^send/).filter(of)
      const [run] = runs().filter(of)
      expect(send).toMatchObject({
        resource: { 'service.name': 'wechat-outbox-gateway' },
        kind: 'producer',
        parentSpanId: parent.slice(36, 52),
      })
      if (parent !== '') expect(send?.traceId).toBe(parent.slice(3, 35))
      expect(run).toMatchObject({
        resource: { 'service.name': 'wechat-outbox-worker' },
        traceId: send?.traceId,
        parentSpanId: send?.spanId,
      })
    }
  }, 60_000)
})

describe('what others have decided', () => {
  it('not to keep a trace holds here, too', async () => {
    const worker = await system.worker(traced())
    const { id } = await system.outbox.send({ ...text('o-unkept', 'hello'), traceparent: GIVEN.replace(/01$/, '00') })
    await becomes(id, 'delivered')
    await end(worker)
    expect(collector.spans()).toEqual([])
  })

  it.each([
    ['always_on', '', 1],
    ['parentbased_always_off', '', 0],
    ['traceidratio', '0', 0],
  ])('as OTEL_TRACES_SAMPLER: %s', async (OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, count) => {
    const worker = await system.worker({ ...traced(), OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG })
    const { id } = await system.outbox.send(text('o-sampled', 'hello'))
    await becomes(id, 'delivered')
    await end(worker)
    expect(runs()).toHaveLength(count)
  })
})
