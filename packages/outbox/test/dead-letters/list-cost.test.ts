// What a page of dead letters costs, counted by Redis itself: commands, those inside scripts included, and the bytes it
// sends back. With a hundred thousand letters a page must cost what it costs with a few.
import { type DeadLetter, deadLetterIdOf } from '@wechat-outbox/messages'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { indexesOf } from '../../src/dead-letters/letter.ts'
import { type DeadLetterPage, type ListFilter, listDeadLetters } from '../../src/dead-letters/list.ts'
import { APP, createWorld, keys, reasonOf, text, type World } from '../support/world.ts'

const LETTERS = 100_000
const RARE = 60
const LIMIT = 20
/** One moment for every thousand: those who die in bulk die in the same millisecond. */
const PER_MS = 1000
const START = 1_700_000_000_000

let world: World
beforeAll(async () => {
  world = await createWorld()
  // One person and one code have almost all of them; what is rare is the oldest and so stands behind everything.
  await write({ touser: 'o-rare', errcode: 45015, count: RARE, from: 0 })
  await write({ touser: 'o-busy', errcode: 40003, count: RARE, from: RARE })
  await write({ touser: 'o-busy', errcode: 45015, count: LETTERS - 2 * RARE, from: 2 * RARE })
}, 120_000)
afterAll(() => world.close())

const idOf = (n: number): string => `m-${String(n).padStart(20, '0')}`
const deadAtOf = (n: number): number => START + Math.floor(n / PER_MS)

/** Letters as the mover leaves them, written by one script each so that a hundred thousand take seconds. */
async function write(kind: { touser: string; errcode: number; count: number; from: number }): Promise<void> {
  const { touser, errcode, count, from } = kind
  const message = { v: 1, ...text(touser) } as const
  const letter: Omit<DeadLetter, 'messageId'> = {
    v: 1,
    message,
    reason: reasonOf({ errcode }),
    attempts: [],
    acceptedAt: START,
    deadAt: START,
  }
  const lua = `
    local data = ARGV[5]
    for n = ARGV[1], ARGV[1] + ARGV[2] - 1 do
      local id = 'd-' .. string.format('%020d', n)
      local deadAt = ARGV[3] + math.floor(n / ARGV[4])
      redis.call('HSET', KEYS[1] .. id, 'name', 'text', 'data', data, 'timestamp', ARGV[3])
      for i = 2, #KEYS do redis.call('ZADD', KEYS[i], deadAt, id) end
    end`
  const indexes = indexesOf(keys, { ...letter, messageId: '' })
  const data = JSON.stringify({ ...letter, messageId: idOf(from) })
  const args = [keys.deadJobs, ...indexes, from, count, START, PER_MS, data]
  await world.redis.eval(lua, 1 + indexes.length, ...args.map(String))
}

async function costOf<T>(work: () => Promise<T>): Promise<{ answer: T; calls: number; bytes: number }> {
  const bytesOut = async (): Promise<number> =>
    Number(/total_net_output_bytes:(\d+)/.exec(await world.redis.info('stats'))?.[1])
  await world.redis.config('RESETSTAT')
  const before = await bytesOut()
  const answer = await work()
  const bytes = (await bytesOut()) - before
  const stats = await world.redis.info('commandstats')
  const counted = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].filter(
    ([, name = '']) => !/^(?:info|config)/.test(name),
  )
  return { answer, calls: counted.reduce((sum, [, , calls]) => sum + Number(calls), 0), bytes }
}

/** The script and what it asks: two counts and, by halves, a place among a thousand of one millisecond. */
const CALLS_MAX = LIMIT + 1 + 20
/** A letter takes some 500 bytes here. */
const BYTES_MAX = 1000 * (LIMIT + 1) + 10_000

const filters: [string, ListFilter, number][] = [
  ['all', {}, LETTERS],
  ['a common code', { errcode: ['45015'] }, LETTERS - RARE],
  ['a rare code', { errcode: ['40003'] }, RARE],
  ['a person with nearly all', { touser: ['o-busy'] }, LETTERS - RARE],
  ['a person with few', { touser: ['o-rare'] }, RARE],
  ['a rare code of a person with nearly all', { touser: ['o-busy'], errcode: ['40003'] }, RARE],
  ['a common code of a person with few', { touser: ['o-rare'], errcode: ['45015'] }, RARE],
  ['a code that the person does not have', { touser: ['o-rare'], errcode: ['40003'] }, 0],
  ['an early time', { until: START + 3, since: START + 2 }, 2 * PER_MS],
  [
    'an early time, a code and a person',
    { errcode: ['45015'], touser: ['o-busy'], until: START + 3, since: START + 2 },
    2 * PER_MS,
  ],
]

it.each(filters)(
  'lists %s for what a page costs, at the beginning, further on and deep inside',
  async (_, filter, total) => {
    const page = (cursor: string | null, more: ListFilter = {}): Promise<DeadLetterPage> =>
      listDeadLetters(world.store, APP, { limit: LIMIT, ...filter, ...more, ...(cursor === null ? {} : { cursor }) })
    const first = await costOf(() => page(null))
    expect(first.answer.items).toHaveLength(Math.min(LIMIT, total))
    const starts = [null, first.answer.next]
    // Deep inside the set, in the middle of a millisecond.
    if (total > 2 * RARE) starts.push((await page(null, { limit: 501, until: START + 3 })).next)
    for (const start of starts) {
      const { calls, bytes } = await costOf(() => page(start))
      expect(calls).toBeLessThanOrEqual(CALLS_MAX)
      expect(bytes).toBeLessThan(BYTES_MAX)
    }
  },
)

it('lists of several people and codes for little more, wherever their letters stand', async () => {
  // Fifty people, of whom two have any, and a hundred indexes of people and codes.
  const touser = ['o-rare', 'o-busy', ...Array.from({ length: 48 }, (_, n) => `o-none-${n}`)]
  for (const filter of [
    { touser },
    { errcode: ['40003', '45015', '45047'] },
    { touser, errcode: ['40003', '45015'] },
  ]) {
    const walked: string[] = []
    let cursor: string | undefined
    for (let pages = 0; pages < 4; pages += 1) {
      const { answer, calls, bytes } = await costOf(() =>
        listDeadLetters(world.store, APP, { ...filter, limit: LIMIT, cursor }),
      )
      // For each index the script with three counts and a range; for the two that have letters what a page asks, twice.
      expect(calls).toBeLessThanOrEqual(100 * 5 + 2 * CALLS_MAX)
      expect(bytes).toBeLessThan(BYTES_MAX)
      walked.push(...answer.items.map(({ id }) => id))
      cursor = answer.next ?? undefined
    }
    expect(walked).toEqual(Array.from({ length: 4 * LIMIT }, (_, n) => deadLetterIdOf(idOf(LETTERS - 1 - n))))
  }
})

it('looks at a bounded number for what no index tells, and goes on from there', async () => {
  const filter: ListFilter = { notTouser: ['o-busy'], until: START + 4, limit: LIMIT }
  const first = await costOf(() => listDeadLetters(world.store, APP, filter))
  expect(first.answer.items).toEqual([])
  // 2020 letters in hundreds, and the script that finds each hundred.
  expect(first.calls).toBeLessThanOrEqual(2100 + 21 * 20)
  const found: string[] = []
  for (let { next } = first.answer; next !== null; ) {
    const page: DeadLetterPage = await listDeadLetters(world.store, APP, { ...filter, cursor: next })
    found.push(...page.items.map(({ id }) => id))
    next = page.next
  }
  expect(found).toEqual(Array.from({ length: RARE }, (_, n) => deadLetterIdOf(idOf(RARE - 1 - n))))
})

it('walks a whole filter without passing over or repeating one, in the order of death', async () => {
  const seen: string[] = []
  for (let cursor: string | null = null; ; ) {
    const filter: ListFilter = {
      touser: ['o-busy'],
      until: START + 1,
      limit: 97,
      ...(cursor === null ? {} : { cursor }),
    }
    const { items, next }: DeadLetterPage = await listDeadLetters(world.store, APP, filter)
    seen.push(...items.map(({ id }) => id))
    if (next === null) break
    cursor = next
  }
  const expected = Array.from({ length: 2 * PER_MS - RARE }, (_, n) => deadLetterIdOf(idOf(2 * PER_MS - 1 - n)))
  expect(seen).toEqual(expected)
})

it('goes on from a place whose letter has gone, among letters of the same millisecond', async () => {
  const filter: ListFilter = {
    touser: ['o-busy'],
    until: deadAtOf(5 * PER_MS),
    since: deadAtOf(5 * PER_MS),
    limit: 300,
  }
  const { items, next } = await listDeadLetters(world.store, APP, filter)
  for (const { id } of items.slice(-5))
    for (const index of [keys.deadByPerson('o-busy'), keys.deadByTime]) await world.redis.zrem(index, id)
  const rest = await listDeadLetters(world.store, APP, {
    ...filter,
    limit: 1000,
    ...(next === null ? {} : { cursor: next }),
  })
  expect(rest.items).toHaveLength(PER_MS - 300)
  expect(new Set([...items, ...rest.items].map(({ id }) => id)).size).toBe(PER_MS)
})
