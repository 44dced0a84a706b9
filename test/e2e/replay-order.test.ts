/** Each person gets replays in the order in which the messages were accepted, counted at the fake WeChat. */
import { connectRedis, DEAD_LETTER_QUEUE, openStore, type RedisClient, type Store } from '@wechat-outbox/outbox/engine'
import type { StartedProcess } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const PEOPLE = 60
const EACH = 5

let system: System
let workers: readonly StartedProcess[]
let gateway: string
let redis: RedisClient
let store: Store
let round = 0
beforeAll(async () => {
  system = await startSystem({ workers: 2, env: { REPLAY_MAX_PER_SECOND: '0' } })
  workers = [...system.workers]
  gateway = await system.gateway()
  redis = connectRedis(system.redis.url, 'operate')
  store = await openStore(redis)
})
afterAll(async () => {
  redis?.disconnect()
  await system?.close()
})

const failed = (): string => store.backend(APP, DEAD_LETTER_QUEUE).toKey('failed')

/** All die of the same code. Returns their letters, newest first. */
let letters: string[]
beforeEach(async () => {
  round += 1
  await system.fake.fault({ fault: { name: 'errcode', errcode: 45015 } })
  const requests = Array.from({ length: PEOPLE * EACH }, (_, n) =>
    text(`o-${round}-${n % PEOPLE}`, `round ${round} ${Math.floor(n / PEOPLE)}`),
  )
  const sent = await system.outbox.sendMany(requests)
  letters = sent.flatMap((result) => ('id' in result ? [result.id.replace('m-', 'd-')] : [])).toReversed()
  await vi.waitFor(async () => expect(await redis.zcard(failed())).toBe(PEOPLE * EACH), {
    timeout: 60_000,
    interval: 50,
  })
  await system.fake.clearFaults()
})

async function expectOrder(): Promise<void> {
  const mine = `round ${round} `
  await vi.waitFor(async () => expect(await system.fake.accepted(mine)).toHaveLength(PEOPLE * EACH), {
    timeout: 60_000,
    interval: 200,
  })
  const got = Map.groupBy(await system.fake.accepted(mine), ({ touser }) => touser)
  const backwards = [...got].filter(([, sends]) => {
    const contents = sends.map(({ body }) => (body as { text: { content: string } }).text.content)
    return contents.join() !== contents.toSorted().join()
  })
  expect({ people: got.size, backwards: backwards.length }).toEqual({ people: PEOPLE, backwards: 0 })
}

/** Asks for each replay by itself, while the workers stand still: they wait for no more than two seconds until all have been asked for. */
async function askForEach(ask: (id: string) => Promise<Response>): Promise<Response[]> {
  for (const worker of workers) worker.stopSignal()
  try {
    return await Promise.all(letters.map(ask))
  } finally {
    for (const worker of workers) worker.cont()
  }
}

it('when `wxo` replays all', async () => {
  expect(await system.wxo('dead', 'replay', '--all', '--yes')).toMatchObject({ code: 0 })
  await expectOrder()
})

it('when `wxo` is given ids, newest first', async () => {
  expect(await system.wxo('dead', 'replay', '--yes', ...letters)).toMatchObject({ code: 0 })
  await expectOrder()
})

it('when they are asked for over HTTP at once, newest first', async () => {
  const answers = await askForEach((id) =>
    fetch(`${gateway}/v1/apps/${APP}/dead-letters/${id}:replay`, { method: 'POST' }),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  await expectOrder()
})

it('when they are retried in the dashboard, one by one', async () => {
  const answers = await askForEach((id) =>
    fetch(`${gateway}/dashboard/api/queues/${APP}-dead-letter/${id}/retry`, { method: 'PUT' }),
  )
  expect(answers.every(({ ok }) => ok)).toBe(true)
  await expectOrder()
})
