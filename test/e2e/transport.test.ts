import { JOB_DATA_VERSION } from '@wechat-outbox/messages'
import { appPrefix, connectRedis } from '@wechat-outbox/outbox/engine'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
beforeAll(async () => {
  system = await startSystem({ workers: 1, env: { RETRY_ATTEMPTS_MAX: '1000' } })
})
afterAll(() => system.close())

const outcomes = async (id: string): Promise<string[]> =>
  ((await system.outbox.status(id))?.attempts ?? []).map(({ outcome }) => outcome)
const untilStatus = (id: string, status: string) =>
  vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe(status), {
    timeout: 15_000,
    interval: 50,
  })

describe('a call that broke', () => {
  it.each([
    'html502',
    'reset-before',
    'accept-then-reset',
    'accept-then-hang',
    'not-json',
    'no-errcode',
    'html200',
  ] as const)(
    'is unsure after %s: sent again by default, stopped with ifUnsure dead-letter',
    async (fault) => {
      await system.fake.fault({ match: { contentIncludes: `${fault}!` }, times: 2, fault })
      const again = await system.outbox.send(text(`o-again-${fault}`, `again ${fault}!`))
      await untilStatus(again.id, 'delivered')
      expect((await outcomes(again.id)).slice(-2)).toEqual(['unsure', 'delivered'])
      await system.fake.clearFaults()

      await system.fake.fault({ match: { contentIncludes: `${fault}!` }, fault })
      const stop = await system.outbox.send({ ...text(`o-stop-${fault}`, `stop ${fault}!`), ifUnsure: 'dead-letter' })
      await untilStatus(stop.id, 'dead')
      expect(await outcomes(stop.id)).toEqual(['unsure'])
      expect((await system.fake.sends()).filter((send) => send.rawBody.includes(`stop ${fault}!`))).toHaveLength(1)
      await system.fake.clearFaults()
    },
    40_000,
  )

  it('is refused by 503 and 429 and tried again, whatever ifUnsure says', async () => {
    await system.fake.fault({
      match: { contentIncludes: 'refused' },
      times: 1,
      fault: { name: 'http503', retryAfterS: 1 },
    })
    await system.fake.fault({ match: { contentIncludes: 'refused' }, times: 1, fault: { name: 'http429' } })
    const { id } = await system.outbox.send({ ...text('o-refused', 'refused'), ifUnsure: 'dead-letter' })
    await untilStatus(id, 'delivered')
    expect(await outcomes(id)).toEqual(['refused', 'refused', 'delivered'])
  })

  it('keeps waiting for a token without losing a try', async () => {
    await system.fake.fault({ endpoint: 'token', times: 1, fault: 'html502' })
    const patient = await system.worker({ RETRY_ATTEMPTS_MAX: '1' })
    await system.workers[0]?.stop()
    await system.fake.invalidateTokens()
    const { id } = await system.outbox.send(text('o-patient', 'patient'))
    await vi.waitFor(async () => expect(await outcomes(id)).toContain('token-unavailable'), 15_000)
    expect(patient.stdout()).toContain('token.unavailable')
    expect((await system.outbox.status(id))?.status).toBe('queued')
    await patient.stop()
  })
})

describe('the wire', () => {
  it("carries WeChat's own body and nothing else, as raw UTF-8", async () => {
    const worker = await system.worker()
    const metadata = { order: 7 }
    const requests = [
      {
        ...text('o-wire', '您好 👩‍👩‍👧 "quoted" \\ é'),
        metadata,
        idempotencyKey: 'wire',
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      },
      { touser: 'o-wire', msgtype: 'image' as const, image: { media_id: 'MEDIA' } },
      {
        touser: 'o-wire',
        msgtype: 'link' as const,
        link: { title: 't', description: 'd', url: 'https://a.example/?x=1', thumb_url: 'https://a.example/i.png' },
      },
      {
        touser: 'o-wire',
        msgtype: 'miniprogrampage' as const,
        miniprogrampage: { title: 't', pagepath: 'p/i?x=1', thumb_media_id: 'M' },
      },
    ]
    await system.outbox.sendMany(requests)
    const wire = await vi.waitFor(async () => {
      const sends = (await system.fake.sends()).filter((send) => send.touser === 'o-wire' && send.accepted)
      expect(sends).toHaveLength(4)
      return sends
    }, 90_000)
    expect(wire.map(({ method, path, contentType }) => `${method} ${path} ${contentType}`)).toEqual(
      Array.from({ length: 4 }, () => 'POST /cgi-bin/message/custom/send application/json; charset=utf-8'),
    )
    expect(wire[0]?.rawBody).toBe(
      '{"touser":"o-wire","msgtype":"text","text":{"content":"您好 👩‍👩‍👧 \\"quoted\\" \\\\ é"}}',
    )
    expect(wire.map(({ body }) => body)).toEqual(
      requests.map(({ touser, msgtype, ...rest }) => ({
        touser,
        msgtype,
        [msgtype]: (rest as Record<string, unknown>)[msgtype],
      })),
    )
    await worker.stop()
  }, 100_000)
})

describe('jobs of other makes', () => {
  it('are delivered as the first producers wrote them, wait when they are newer, and die when they are nonsense', async () => {
    await system.worker()
    const redis = connectRedis(system.redis.url, 'operate')
    const queue = new Queue('send', { connection: redis, prefix: appPrefix(APP) })
    // What stands in Redis for a message of version 1: this text must go on being readable.
    const first = JSON.parse('{"v":1,"touser":"o-first","msgtype":"text","text":{"content":"first shape"}}')
    await queue.add('text', first, { jobId: 'm-first' })
    await queue.add(
      'voice',
      { v: JOB_DATA_VERSION + 1, touser: 'o-newer', msgtype: 'voice', voice: { media_id: 'M' } },
      { jobId: 'm-newer' },
    )
    await queue.add('text', { v: 1, touser: 'o-nonsense', msgtype: 'text' }, { jobId: 'm-nonsense' })
    await queue.add('text', 'not even an object', { jobId: 'm-string' })
    await untilStatus('m-first', 'delivered')
    await untilStatus('m-nonsense', 'dead')
    await untilStatus('m-string', 'dead')
    await vi.waitFor(async () => expect(await queue.getJobState('m-newer')).toBe('delayed'), 15_000)
    expect(system.output()).toContain('"message.newer"')
    const { stdout } = await system.wxo('dead', 'ls', '--app', APP, '--json')
    const dead = (JSON.parse(stdout) as { items: { messageId: string; reason: { name: string } }[] }).items
    expect(
      dead
        .filter(({ reason }) => reason.name === 'invalid-message')
        .map(({ messageId }) => messageId)
        .toSorted(),
    ).toEqual(['m-nonsense', 'm-string'])
    await queue.close()
    redis.disconnect()
  })

  it('expire without a call, and are never retried past their limit', async () => {
    await system.fake.fault({ match: { contentIncludes: 'always busy' }, fault: { name: 'errcode', errcode: -1 } })
    const past = await system.outbox.send({ ...text('o-past', 'too late'), expiresAt: Date.now() - 1 })
    const soon = await system.outbox.send({ ...text('o-soon', 'always busy'), expiresAt: Date.now() + 3000 })
    await untilStatus(past.id, 'dead')
    await untilStatus(soon.id, 'dead')
    const sends = await system.fake.sends()
    expect(sends.filter((send) => send.touser === 'o-past')).toEqual([])
    const late = sends.filter((send) => send.touser === 'o-soon')
    expect(late.length).toBeGreaterThan(0)
    const { stdout } = await system.wxo('dead', 'show', '--app', APP, '--json', `d-${soon.id.slice(2)}`)
    expect(JSON.parse(stdout)).toMatchObject({ reason: { name: 'expired', errcode: -1 } })
  })

  it('are sent when their time has come', async () => {
    const { id } = await system.outbox.send({ ...text('o-scheduled', 'scheduled'), sendAt: Date.now() + 1000 })
    expect(await system.fake.accepted('scheduled')).toEqual([])
    const dueAt = (await system.outbox.status(id))?.sendAt ?? ''
    await untilStatus(id, 'delivered')
    const [send] = (await system.fake.accepted('scheduled')).filter(({ touser }) => touser === 'o-scheduled')
    expect(send?.at).toBeGreaterThanOrEqual(Date.parse(dueAt))
  })
})
