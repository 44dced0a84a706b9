/** What the tests of suspension and throttling ask of a system, and a backlog whose order they can check. */

import type { SendEntry } from '@wechat-outbox/fake-wechat'
import { connectRedis, type Hold, openStore, type RedisClient, readHold } from '@wechat-outbox/outbox/engine'
import { expect, vi } from 'vitest'
import { APP, SECRET, type System, text } from './system.ts'

export const OTHER_APP = 'wx00000000000000bb'

/** Two apps with one secret, as `WECHAT_APPS_FILE` has them. */
export const APPS = JSON.stringify([APP, OTHER_APP].map((appid) => ({ appid, secret: SECRET })))

const contentOf = (send: SendEntry): string => (send.body as { text: { content: string } }).text.content

export function watchHolds(system: System) {
  let redis: RedisClient | undefined
  const client = (): RedisClient => (redis ??= connectRedis(system.redis.url, 'operate'))
  const hold = async (appid = APP): Promise<Hold | null> => readHold(await openStore(client()), appid)
  return {
    hold,
    /** Resolves to the fault as it was seen: a short hold may be over by the next look. */
    untilHeld: (fault: object, appid = APP) =>
      vi.waitFor(
        async () => {
          const seen = (await hold(appid))?.fault
          expect(seen).toMatchObject(fault)
          return seen
        },
        { timeout: 20_000, interval: 50 },
      ),
    untilOpen: (appid = APP) =>
      vi.waitFor(async () => expect(await hold(appid)).toBeNull(), { timeout: 20_000, interval: 50 }),
    /** Tries that were counted, over all these messages. */
    async tries(ids: readonly string[], appid = APP): Promise<number> {
      const counts = await Promise.all(ids.map((id) => client().hget(`{wxo:${appid}}:send:${id}`, 'atm')))
      return counts.reduce((sum, count) => sum + Number(count ?? 0), 0)
    },
    /** Messages that a worker holds. */
    active: (appid = APP) => client().llen(`{wxo:${appid}}:send:active`),
    deadLetters: (appid = APP) => client().zcard(`{wxo:${appid}}:dead-letter:failed`),
    /** What its workers keep to wait for its queues alone; while they sleep, nothing. */
    connections: async (appid = APP) =>
      String(await client().call('CLIENT', 'LIST'))
        .split('\n')
        .filter((line) => line.includes(appid)).length,
    disconnect: () => redis?.disconnect(),
  }
}

export interface Backlog {
  readonly ids: string[]
  /** Until WeChat has taken all of them, each once, and per person in order. */
  delivered(timeoutMs?: number): Promise<void>
}

/** `count` messages to each of `people`, in turn. */
export async function sendBacklog(
  system: System,
  size: { name: string; people: number; count: number; appid?: string },
): Promise<Backlog> {
  const { name, people, count, appid = APP } = size
  const requests = Array.from({ length: people * count }, (_, n) => ({
    ...text(`o-${name}-${n % people}`, `${name}<${String(Math.floor(n / people)).padStart(4, '0')}>`),
    appid,
  }))
  const results = await system.outbox.sendMany(requests)
  const ids = results.flatMap((result) => ('id' in result ? [result.id] : []))
  expect(ids).toHaveLength(requests.length)
  return {
    ids,
    async delivered(timeoutMs = 30_000) {
      await vi.waitFor(async () => expect(await system.fake.accepted(`${name}<`)).toHaveLength(requests.length), {
        timeout: timeoutMs,
        interval: 100,
      })
      // WeChat has them a moment before Redis knows.
      await vi.waitFor(
        async () => {
          const statuses = await Promise.all(ids.map((id) => system.outbox.status(id, appid)))
          expect(statuses.filter((report) => report?.status !== 'delivered')).toEqual([])
        },
        { timeout: 15_000, interval: 200 },
      )
      const sends = await system.fake.accepted(`${name}<`)
      for (let person = 0; person < people; person += 1) {
        const got = sends.filter(({ touser }) => touser === `o-${name}-${person}`).map(contentOf)
        expect(got).toEqual(got.toSorted())
        expect(new Set(got).size).toBe(count)
      }
    },
  }
}
