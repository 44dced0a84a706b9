import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { listPersonMessages, type MessagePage, type PersonFilter } from '../../src/producer/person-messages.ts'
import type { Run } from '../../src/worker/run.ts'
import { APP, createWorld, DELIVERED, dies, keys, memberOf, text, type World } from '../support/world.ts'

const ME = 'o-me'
let world: World
/** By content. */
const ids = new Map<string, string>()

beforeAll(async () => {
  world = await createWorld()
  const outbox = world.outbox()
  const { consumer } = await world.consumer(async (run: Run) => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    return contentOf(run).startsWith('dies') ? dies() : DELIVERED
  })
  const send = async (touser: string, content: string, more: object = {}): Promise<string> => {
    // So that no two of them are accepted in the same millisecond.
    for (const before = Date.now(); Date.now() === before; ) await new Promise(setImmediate)
    const { id } = await outbox.send({ ...text(touser, content), ...more })
    ids.set(content, id)
    return id
  }
  // Deliveries of others stand before and behind this person's, as many as one page looks at.
  await deliveredToOthers({ count: 1000, finishedOn: Date.now() - 60_000 })
  for (const content of ['delivered 1', 'dies 1', 'delivered 2', 'dies 2', 'dies 3']) await send(ME, content)
  const untilSettled = async () => {
    expect(await world.redis.zcard(keys.sendCompleted)).toBe(1002)
    expect(await world.redis.zcard(keys.deadByTime)).toBe(3)
  }
  await vi.waitFor(untilSettled, 20_000)
  await deliveredToOthers({ count: 1000, finishedOn: Date.now() + 60_000 })
  await consumer.close(1000)
  for (const content of ['open 1', 'open 2', 'open 3']) await send(ME, content)
  await send(ME, 'later', { sendAt: Date.now() + 3_600_000 })
  await send('o-1', 'of another', { sendAt: Date.now() + 3_600_000 })
  await discardDeadLetter(world.store, { appid: APP, id: (ids.get('dies 3') ?? '').replace('m-', 'd-') }, 1000)
}, 60_000)
afterAll(() => world.close())

/** Completed jobs, written by one script: only whom they are for matters here. */
async function deliveredToOthers({ count, finishedOn }: { count: number; finishedOn: number }): Promise<void> {
  const lua = `
    for n = 1, ARGV[1] do
      local id = 'm-' .. ARGV[2] .. n
      redis.call('HSET', KEYS[1] .. id, 'name', 'text', 'data', ARGV[3], 'timestamp', ARGV[2], 'finishedOn', ARGV[2])
      redis.call('ZADD', KEYS[2], ARGV[2], id)
    end`
  const data = JSON.stringify({ v: 1, ...text('o-other') })
  await world.redis.eval(lua, 2, keys.sendJobs, keys.sendCompleted, String(count), String(finishedOn), data)
}

const contentOf = (run: Run): string => (run.data as { text: { content: string } }).text.content
const page = (filter: Partial<PersonFilter> = {}): Promise<MessagePage> =>
  listPersonMessages(world.store, APP, { touser: ME, ...filter })

async function walk(filter: Partial<PersonFilter> = {}): Promise<{ contents: string[]; pages: number }> {
  const contents: string[] = []
  const names = new Map([...ids].map(([content, id]) => [id, content]))
  for (let cursor: string | undefined, pages = 1; ; pages += 1) {
    const { items, next }: MessagePage = await page({ ...filter, cursor })
    contents.push(...items.map(({ id }) => names.get(id) ?? id))
    if (next === null) return { contents, pages }
    cursor = next
  }
}

const OPEN = ['open 3', 'open 2', 'open 1']
const ALL = [...OPEN, 'later', 'dies 2', 'dies 1', 'delivered 2', 'delivered 1']

it('lists what is open, scheduled, dead and delivered, each newest first, as status tells of it', async () => {
  expect((await walk()).contents).toEqual(ALL)
  const { items } = await page()
  for (const report of items) expect(report).toEqual(await world.outbox().status(report.id))
  expect(items.map(({ status }) => status)).toEqual(['held', 'held', 'queued', 'scheduled', 'dead', 'dead'])
})

it('is walked in pages of any length without a gap or a repeat', async () => {
  for (const limit of [1, 2, 3, 5]) expect((await walk({ limit })).contents, String(limit)).toEqual(ALL)
})

it('looks at a bounded number of jobs for a page', async () => {
  await world.redis.config('RESETSTAT')
  const { items, next } = await page({ status: ['delivered'] })
  expect({ items, isLast: next === null }).toEqual({ items: [], isLast: false })
  const [, looks] = /cmdstat_hget:calls=(\d+)/.exec(await world.redis.info('commandstats')) ?? []
  expect(Number(looks)).toBeLessThanOrEqual(1000)
  expect(await walk({ status: ['delivered'] })).toEqual({ contents: ['delivered 2', 'delivered 1'], pages: 3 })
})

it('filters by status and time of acceptance, and tells of nobody else', async () => {
  expect((await walk({ status: ['held', 'queued'] })).contents).toEqual(OPEN)
  expect((await walk({ status: ['scheduled'] })).contents).toEqual(['later'])
  expect((await walk({ status: ['dead'] })).contents).toEqual(['dies 2', 'dies 1'])
  const { items } = await page({ status: ['dead'], limit: 1 })
  const since = Date.parse(items[0]?.acceptedAt ?? '')
  expect((await walk({ since })).contents).toEqual([...OPEN, 'later', 'dies 2'])
  expect((await walk({ touser: 'o-nobody' })).contents).toEqual([])
})

it('goes on where the message at its cursor has left the lane, and refuses a cursor that was not given', async () => {
  const { next } = await page({ limit: 1 })
  await world.outbox().cancel(ids.get('open 3') ?? '')
  expect((await page({ cursor: next ?? '', limit: 3 })).items.map(({ id }) => id)).toEqual(
    ['open 2', 'open 1', 'later'].map((content) => ids.get(content)),
  )
  for (const cursor of ['nonsense', Buffer.from('4.').toString('base64url')])
    await expect(page({ cursor })).rejects.toMatchObject({ code: 'WXO_INVALID', issues: [{ path: 'cursor' }] })
})
