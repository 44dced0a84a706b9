/** Dead letters and suspensions for the tests of commands that show them. */
import type { Store } from '@wechat-outbox/outbox/engine'
import { expect, vi } from 'vitest'
import { APP, type CliDocument, type World } from './world.ts'

export const ANNA = 'oAnnaAnnaAnnaAnnaAnnaAnna_01'
export const BEN = 'oBen'

export const three = [
  [ANNA, 'die 45015 a'],
  [ANNA, 'die 40003'],
  [BEN, 'die 45015 b'],
] as const

/** Sends texts and stops the consumer again once all are dead, so that nothing moves while a test looks. */
export async function letDie(
  world: World,
  messages: readonly (readonly [touser: string, text: string, note?: string])[],
): Promise<string[]> {
  const consumer = await world.consume()
  const requests = messages.map(([touser, content, note]) => ({
    touser,
    msgtype: 'text' as const,
    text: { content },
    ...(note === undefined ? {} : { metadata: { note } }),
  }))
  const sent = await world.outbox.sendMany(requests)
  const ids = sent.map((result) => ('id' in result ? result.id : ''))
  await vi.waitFor(
    async () => {
      const failed = await world.store.redis.zcard(world.store.backend(APP, 'dead-letter').toKey('failed'))
      expect(failed).toBe(messages.length)
    },
    { timeout: 30_000, interval: 20 },
  )
  await consumer.close(5000)
  return ids.map((id) => id.replace(/^m-/, 'd-'))
}

export const idsOf = (page: CliDocument): string[] => page.items.map(({ id }) => id).sort()

/** As a worker does that WeChat refuses. */
export async function suspend({ redis }: Store): Promise<void> {
  const now = Date.now()
  const reason = { errcode: 40164, name: 'ip-not-allowed', errmsg: 'no \u001b[31m', meaning: { en: 'No.', zh: '否。' } }
  await redis.hset(`{wxo:${APP}}:hold`, {
    kind: 'suspended',
    cause: 'send',
    name: reason.name,
    reason: JSON.stringify(reason),
    since: now,
    until: now + 45_000,
    every: 60_000,
  })
}
