// What was accepted before `close` is finished, what comes after it is refused at once, and no Redis keeps it waiting.
import { startTcpProxy } from '@wechat-outbox/sandbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Outbox } from '../../src/producer/outbox.ts'
import { within } from '../../src/within.ts'
import { APP, keys, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld()

/** Two seconds for a call and what a loaded machine takes. */
const CLOSE_MS_MAX = 10_000
const sendMany = (outbox: Outbox, touser: string, count = 500) =>
  Array.from({ length: count }, (_, n) =>
    outbox.send({ ...text(touser, `n${n % 400}`), idempotencyKey: `${touser} ${n % 400}` }),
  )
const closed = (outbox: Outbox): Promise<unknown> =>
  within(
    outbox.close().then(() => 'closed'),
    CLOSE_MS_MAX,
    'late',
  )
const codes = (results: readonly PromiseSettledResult<unknown>[]): string[] =>
  results.map((result) =>
    result.status === 'fulfilled' ? 'stored' : String((result.reason as { code?: string }).code),
  )

async function expectRefused(outbox: Outbox): Promise<void> {
  const calls = [outbox.send(text('o-after')), outbox.status('m-1'), outbox.cancel('m-1')]
  expect(codes(await Promise.allSettled(calls))).toEqual(['WXO_CLOSED', 'WXO_CLOSED', 'WXO_CLOSED'])
  expect(await outbox.sendMany([text('o-after')])).toEqual([{ error: expect.objectContaining({ code: 'WXO_CLOSED' }) }])
}

describe('close', () => {
  it.each([
    ['that has been connected for a while', true],
    ['that is being connected', false],
  ])(
    'of an Outbox %s finishes 500 sends, repeats among them, and refuses whatever comes after it',
    async (_what, isReady) => {
      const outbox = new Outbox({ redis: world.url, appid: APP })
      const touser = `o-${isReady}`
      if (isReady) await outbox.status('m-1')
      const sends = Promise.all(sendMany(outbox, touser))
      const closing = closed(outbox)
      const refused = expectRefused(outbox)
      const receipts = await sends
      await refused
      expect(await closing).toBe('closed')
      expect(receipts.filter(({ duplicate }) => duplicate)).toHaveLength(100)
      expect(await world.redis.llen(keys.lane(touser))).toBe(400)
      expect(await closed(outbox)).toBe('closed')
      await expectRefused(outbox)
    },
  )

  it('twice at once ends once', async () => {
    const outbox = new Outbox({ redis: world.url, appid: APP })
    const sent = outbox.send(text('o-twice'))
    expect(await Promise.all([closed(outbox), closed(outbox)])).toEqual(['closed', 'closed'])
    expect(await sent).toMatchObject({ status: 'queued' })
  })

  it('ends within its limit while Redis was never there', async () => {
    const outbox = new Outbox({ redis: 'redis://127.0.0.1:1', appid: APP })
    const sends = Promise.allSettled(sendMany(outbox, 'o-never', 20))
    expect(await closed(outbox)).toBe('closed')
    expect(new Set(codes(await sends))).toEqual(new Set(['WXO_UNAVAILABLE']))
  })

  it.each([
    ['answers nothing any more', (proxy: Awaited<ReturnType<typeof startTcpProxy>>) => proxy.cutReplies(true)],
    ['has gone away', (proxy: Awaited<ReturnType<typeof startTcpProxy>>) => void proxy.close()],
  ])('ends within its limit while Redis %s', async (what, breakProxy) => {
    const proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
    onTestFinished(() => proxy.close())
    const outbox = new Outbox({ redis: proxy.url('redis'), appid: APP })
    await outbox.send(text('o-before'))
    breakProxy(proxy)
    const sends = Promise.allSettled(sendMany(outbox, `o-${what.length}`, 20))
    expect(await closed(outbox)).toBe('closed')
    expect(new Set(codes(await sends))).toEqual(new Set(['WXO_UNAVAILABLE']))
    await expectRefused(outbox)
  })
})
