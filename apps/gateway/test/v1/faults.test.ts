// What a client is told while Redis is away, and that an accepted message is there whatever happens to Redis afterwards.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocalRedis, startTcpProxy } from '@wechat-outbox/sandbox'
import { expect, it, vi } from 'vitest'
import { call, LETTERS, MESSAGES, textTo } from '../support/v1.ts'
import { APPID, openGateway } from '../support/world.ts'

async function withRedis(
  args: string[],
  run: (world: { url: string; port: number; restart: () => Promise<void> }) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'gateway-v1-'))
  let redis = await startLocalRedis({ dir, args })
  const { url, port } = redis
  try {
    await run({
      url,
      port,
      async restart() {
        await redis.kill9()
        redis = await startLocalRedis({ dir, port, args })
      },
    })
  } finally {
    await redis.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

const LINES = [
  [`POST ${MESSAGES}`, textTo('o-away')],
  [`POST ${MESSAGES}:batch`, { messages: [textTo('o-away'), {}] }],
  [`GET ${MESSAGES}/m-1`, undefined],
  [`DELETE ${MESSAGES}/m-1`, undefined],
  [`GET ${LETTERS}`, undefined],
  [`GET ${LETTERS}/d-1`, undefined],
  [`DELETE ${LETTERS}/d-1`, undefined],
  [`POST ${LETTERS}/d-1:replay`, undefined],
] as const

it.each(['refuses', 'says nothing'])(
  'answers every call with 503 and Retry-After while Redis %s, and recovers',
  async (fault) => {
    await withRedis([], async ({ port }) => {
      const proxy = await startTcpProxy({ targetPort: port })
      const gateway = await openGateway({ REDIS_URL: proxy.url('redis'), WECHAT_APP_ID: APPID })
      const key = { 'Idempotency-Key': '"over-the-fault"' }
      const before = await call(gateway.url, `POST ${MESSAGES}`, { body: textTo('o-away', 'kept'), headers: key })
      expect(before.status).toBe(202)
      const fail = async (on: boolean): Promise<void> => {
        if (fault === 'says nothing') return proxy.stall(on)
        await proxy.refuse(on)
        if (on) proxy.resetAll()
      }
      await fail(true)
      const answers = await Promise.all(LINES.map(([line, body]) => call(gateway.url, line, { body })))
      for (const [index, { status, headers, body }] of answers.entries()) {
        const told = { line: LINES[index]?.[0], status, code: body.code, retry: headers.get('retry-after') }
        expect(told).toEqual({ line: LINES[index]?.[0], status: 503, code: 'WXO_UNAVAILABLE', retry: '1' })
        expect(JSON.stringify(body)).not.toMatch(/redis:\/\/|127\.0|ECONN/)
      }
      await fail(false)
      await vi.waitFor(
        async () => {
          const again = await call(gateway.url, `POST ${MESSAGES}`, { body: textTo('o-away', 'kept'), headers: key })
          expect(again).toMatchObject({ status: 200, body: { id: before.body.id } })
        },
        { timeout: 15_000, interval: 100 },
      )
      expect(await call(gateway.url, `DELETE ${MESSAGES}/${before.body.id}`)).toMatchObject({ status: 200 })
      await gateway.close()
      await proxy.close()
    })
  },
  60_000,
)

it('says in its log what Redis has answered, and nothing of it to its client', async () => {
  await withRedis(['--min-replicas-to-write', '1'], async ({ url }) => {
    const gateway = await openGateway({ REDIS_URL: url, WECHAT_APP_ID: APPID })
    const answer = await call(gateway.url, `POST ${MESSAGES}`, { body: textTo('o-refused') })
    expect(answer).toMatchObject({ status: 503, body: { code: 'WXO_UNAVAILABLE' } })
    expect(JSON.stringify(answer.body)).not.toContain('NOREPLICAS')
    expect(gateway.lines()).toContainEqual(
      expect.objectContaining({
        event: 'http.failed',
        status: 503,
        error: expect.stringMatching(/^Redis is not available: NOREPLICAS /),
      }),
    )
    await gateway.close()
  })
})

it('has every message that was accepted after Redis is killed, where Redis writes before it answers', async () => {
  await withRedis(['--appendfsync', 'always'], async ({ url, restart }) => {
    const gateway = await openGateway({ REDIS_URL: url, WECHAT_APP_ID: APPID })
    const accepted = new Set<string>()
    const refused = new Set<number>()
    let n = 0
    const stop = new AbortController()
    const sender = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const { status, body } = await call(gateway.url, `POST ${MESSAGES}`, { body: textTo('o-kill', `n${n++}`) })
        if (status === 202) accepted.add(body.id)
        else refused.add(status)
      }
    }
    const senders = Array.from({ length: 8 }, sender)
    await vi.waitFor(() => expect(accepted.size).toBeGreaterThan(200), { timeout: 20_000 })
    await restart()
    const soFar = accepted.size
    await vi.waitFor(() => expect(accepted.size).toBeGreaterThan(soFar + 100), { timeout: 20_000 })
    stop.abort()
    await Promise.all(senders)
    expect([...refused]).toEqual([503])
    for (const id of accepted) {
      expect(await call(gateway.url, `GET ${MESSAGES}/${id}`)).toMatchObject({
        status: 200,
        body: { status: expect.stringMatching(/^(queued|held)$/) },
      })
    }
    await gateway.close()
  })
}, 90_000)

it('takes no new messages, but still answers, when Redis is near its memory limit', async () => {
  await withRedis(['--maxmemory', '8mb', '--maxmemory-policy', 'noeviction'], async ({ url }) => {
    const gateway = await openGateway({ REDIS_URL: url, WECHAT_APP_ID: APPID })
    const messages = Array.from({ length: 200 }, (_, n) => ({
      ...textTo(`o-${n}`, 'x'.repeat(2000)),
      metadata: { fill: 'x'.repeat(3900) },
    }))
    const ids: string[] = []
    await vi.waitFor(
      async () => {
        const answer = await call(gateway.url, `POST ${MESSAGES}:batch`, { body: { messages } })
        if (answer.status === 207) ids.push(answer.body.results[0].id)
        expect(answer).toMatchObject({ status: 503, body: { code: 'WXO_FULL' } })
        expect(answer.headers.get('retry-after')).toBe('10')
      },
      { timeout: 20_000, interval: 20 },
    )
    expect(await call(gateway.url, `GET ${MESSAGES}/${ids[0]}`)).toMatchObject({ status: 200 })
    await gateway.close()
  })
}, 60_000)
