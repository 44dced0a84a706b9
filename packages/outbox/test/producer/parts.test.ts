// A text that is cut into parts is one message to its producer: one id, one key, stored whole or not at all. To WeChat it is
// several, in one lane.
import type { SendRequest } from '@wechat-outbox/messages'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { listDeadLetters, requestReplay } from '../../src/dead-letters/list.ts'
import type { Outbox } from '../../src/producer/outbox.ts'
import type { Run } from '../../src/worker/run.ts'
import { untilDead } from '../support/dead.ts'
import { createHand } from '../support/hand.ts'
import {
  APP,
  ASKING,
  createWorld,
  DELIVERED,
  delivering,
  dies,
  keys,
  memberOf,
  text,
  WAIT_MS,
  type World,
} from '../support/world.ts'

let world: World
let outbox: Outbox
beforeEach(async () => {
  world = await createWorld()
  outbox = world.outbox({ textBytesMax: 5, textSplit: true })
})
afterEach(() => world.close())

const idsOf = (first: string, of = 3): string[] => [
  first,
  ...Array.from({ length: of - 1 }, (_, n) => `${first}p${n + 2}`),
]
const laneOf = (touser: string): Promise<string[]> => world.redis.lrange(keys.lane(touser), '0', '-1')
const statusOf = async (id: string): Promise<string | undefined> => (await outbox.status(id))?.status
const contentOf = (run: Run): string => (run.data as { text: { content: string } }).text.content
const THREE = 'one two three'

/** Sends what it is given and tells in what order; a text of `buried` dies. */
async function work(options: { buried?: string; asking?: boolean } = {}): Promise<string[]> {
  const sent: string[] = []
  await world.consumer(
    async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      sent.push(contentOf(run))
      return contentOf(run) === options.buried ? dies() : DELIVERED
    },
    options.asking === true ? ASKING : {},
  )
  return sent
}

describe('a long text', () => {
  it('is stored as messages of one lane, which say which they are', async () => {
    const { id, status } = await outbox.send({ ...text('o-long', THREE), metadata: { order: 7 } })
    expect(status).toBe('queued')
    expect(await laneOf('o-long')).toEqual(idsOf(id))
    const data = await Promise.all(idsOf(id).map(async (one) => (await world.send.getJob(one))?.data))
    const part = (n: number) => ({ n, of: 3, first: id })
    expect(data).toEqual(
      ['one', 'two', 'three'].map((content, n) => ({
        ...{ v: 1, touser: 'o-long', msgtype: 'text', text: { content }, metadata: { order: 7 } },
        part: part(n + 1),
      })),
    )
    expect(await outbox.status(id)).toMatchObject({ id, status: 'queued', part: part(1), parts: idsOf(id) })
    const second = await outbox.status(`${id}p2`)
    expect(second).toMatchObject({ status: 'held', part: part(2) })
    expect(second).not.toHaveProperty('parts')
  })

  it('is one message where it fits', async () => {
    const { id } = await outbox.send(text('o-short', 'three'))
    expect(await laneOf('o-short')).toEqual([id])
    expect((await world.send.getJob(id))?.data).not.toHaveProperty('part')
    expect(await outbox.status(id)).not.toHaveProperty('part')
  })

  it('arrives in its order, and before what was sent after it', async () => {
    const requests = Array.from({ length: 60 }, (_, n) => text('o-order', `a${n}. b${n}. c${n}.`))
    const receipts = await outbox.sendMany(requests)
    expect(receipts.every((receipt) => 'id' in receipt)).toBe(true)
    const sent = await work()
    const expected = requests.flatMap(({ text: { content } }) => content.split(' '))
    await vi.waitFor(() => expect(sent).toHaveLength(expected.length), WAIT_MS)
    expect(sent).toEqual(expected)
  })

  it.each([false, true])('arrives in its order when it was scheduled; runs ask for their turns: %s', async (asking) => {
    const sendAt = Date.now() + 60_000
    const requests = Array.from({ length: 20 }, (_, n) => ({ ...text(`o-${n}`, THREE), sendAt }))
    for (const result of await outbox.sendMany(requests)) expect(result).toMatchObject({ status: 'scheduled' })
    // Due at once, and fetched from the wrong end.
    for (const id of await world.redis.zrange(keys.sendDelayed, '0', '-1')) {
      await world.redis.zadd(keys.sendDelayed, '1', id)
      if (/p\d$/.test(id)) await world.redis.zadd(keys.sendDelayed, String(1 - Number(id.at(-1)) / 10), id)
    }
    const sent = new Map<string, string[]>()
    await world.consumer(
      async (run) => {
        const member = memberOf(run)
        const turn = await run.admit(member)
        if (turn.kind !== 'go') return turn
        sent.set(member.touser, [...(sent.get(member.touser) ?? []), contentOf(run)])
        return DELIVERED
      },
      asking ? ASKING : {},
    )
    await vi.waitFor(() => expect([...sent.values()].flat()).toHaveLength(60), WAIT_MS)
    expect([...sent.values()]).toEqual(Array.from({ length: 20 }, () => ['one', 'two', 'three']))
  })

  it('goes on after a part that dies, whose dead letter says which it was', async () => {
    const { id } = await outbox.send(text('o-dies', THREE))
    const sent = await work({ buried: 'two' })
    await untilDead(world, `${id}p2`)
    await vi.waitFor(() => expect(sent).toEqual(['one', 'two', 'three']), WAIT_MS)
    const { items } = await listDeadLetters(world.store, APP, {})
    expect(items).toMatchObject([{ messageId: `${id}p2`, message: { part: { n: 2, of: 3, first: id } } }])
    expect(await outbox.status(`${id}p2`)).toMatchObject({ status: 'dead', part: { n: 2 }, deadLetter: items[0]?.id })
  })

  it('has one part replayed, which stays that part', async () => {
    const { id } = await outbox.send(text('o-again', THREE))
    const dead: string[] = []
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      if (contentOf(run) !== 'one' || dead.push(run.id) > 1) return DELIVERED
      return dies()
    })
    await untilDead(world, id)
    await requestReplay(world.store, APP, `d-${id.slice(2)}`)
    await vi.waitFor(async () => expect(await statusOf(`${id}-1`)).toBe('delivered'), WAIT_MS)
    expect(await outbox.status(`${id}-1`)).toMatchObject({ part: { n: 1, of: 3, first: id } })
    expect(await outbox.status(`${id}-1`)).not.toHaveProperty('parts')
    expect(await outbox.status(id)).toMatchObject({ status: 'replayed', parts: idsOf(id) })
  })
})

describe('one key covers all parts', () => {
  const keyed = (content = THREE): SendRequest => ({ ...text('o-key', content), idempotencyKey: 'once' })

  it('so a repeat is the same message, open and delivered', async () => {
    const first = await outbox.send(keyed())
    expect(await outbox.send(keyed())).toEqual({ id: first.id, status: 'queued', duplicate: true })
    expect(await laneOf('o-key')).toEqual(idsOf(first.id))
    const sent = await work()
    await vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(3), WAIT_MS)
    expect(await outbox.send(keyed())).toEqual({ id: first.id, status: 'delivered', duplicate: true })
    expect(sent).toEqual(['one', 'two', 'three'])
  })

  it('and another text under it is a conflict, stored nowhere', async () => {
    const first = await outbox.send(keyed())
    await expect(outbox.send(keyed('one two four'))).rejects.toMatchObject({ code: 'WXO_CONFLICT' })
    expect(await laneOf('o-key')).toEqual(idsOf(first.id))
  })

  it('whatever limit a repeat was cut by', async () => {
    const { id } = await outbox.send(keyed())
    const other = world.outbox({ textBytesMax: 8, textSplit: true })
    expect(await other.send(keyed())).toMatchObject({ id, duplicate: true })
    expect(await laneOf('o-key')).toHaveLength(3)
  })

  it('and many repeats at once store three messages', async () => {
    const receipts = await Promise.all(Array.from({ length: 80 }, () => outbox.send(keyed())))
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(1)
    expect(receipts.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
    expect(await laneOf('o-key')).toHaveLength(3)
  })
})

describe('all parts are stored, or none', () => {
  it('in one script, whatever else is in the batch', async () => {
    const before = await scripts()
    const long = Array.from({ length: 50 }, (_, n) => `${n + 10}..`).join(' ')
    const mixed = Array.from({ length: 40 }, (_, n) => text(`o-${n}`, n % 20 === 0 ? long : 'a'))
    const receipts = await Promise.all(mixed.map((request) => outbox.send(request)))
    // The first leaves at once; then no script holds much more than fifty jobs, and none a part of a message.
    expect((await scripts()) - before).toBeLessThanOrEqual(5)
    expect(await laneOf('o-0')).toEqual(idsOf(receipts[0]?.id ?? '', 50))
    expect(await laneOf('o-20')).toEqual(idsOf(receipts[20]?.id ?? '', 50))
  })

  it('and where Redis cannot store the later ones, the first is not stored either', async () => {
    await world.redis.set(keys.sendDelayed, 'spoilt by hand')
    await expect(outbox.send({ ...text('o-all', THREE), idempotencyKey: 'all' })).rejects.toMatchObject({
      code: 'WXO_UNAVAILABLE',
    })
    expect(await laneOf('o-all')).toEqual([])
    expect(await world.send.getWaitingCount()).toBe(0)
    await world.redis.del(keys.sendDelayed)
    const { id, duplicate } = await outbox.send({ ...text('o-all', THREE), idempotencyKey: 'all' })
    expect(duplicate).toBe(false)
    expect(await laneOf('o-all')).toEqual(idsOf(id))
  })

  async function scripts(): Promise<number> {
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await world.redis.info('commandstats'))?.[1] ?? 0)
  }
})

describe('cancelling', () => {
  it('the first takes all parts back', async () => {
    const { id } = await outbox.send(text('o-back', THREE))
    expect(await outbox.cancel(id)).toBe('cancelled')
    expect(await Promise.all(idsOf(id).map(statusOf))).toEqual(['cancelled', 'cancelled', 'cancelled'])
    expect(await laneOf('o-back')).toEqual([])
    expect(await outbox.cancel(id)).toBe('cancelled')
  })

  it('is too late once the first is being sent, and takes the others back', async () => {
    const { id } = await outbox.send(text('o-late', THREE))
    let answer: (() => void) | undefined
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return DELIVERED
    })
    await vi.waitFor(() => expect(answer).toBeDefined(), WAIT_MS)
    expect(await outbox.cancel(id)).toBe('too-late')
    answer?.()
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('delivered'), WAIT_MS)
    expect(await Promise.all(idsOf(id).map(statusOf))).toEqual(['delivered', 'cancelled', 'cancelled'])
  })

  it('takes back what waits of a text whose first part nobody remembers', async () => {
    const { id } = await outbox.send(text('o-gone', THREE))
    const held = await createHand(world).fetch()
    await held.run.admit(memberOf(held.run))
    await held.settle(DELIVERED)
    await world.redis.del(keys.sendJob(id))
    expect(await outbox.cancel(id)).toBe('too-late')
    expect(await Promise.all(idsOf(id).map(statusOf))).toEqual([undefined, 'cancelled', 'cancelled'])
    expect(await laneOf('o-gone')).toEqual([])
  })

  it('is the same when it is repeated after the later parts have been forgotten', async () => {
    const { id } = await outbox.send({ ...text('o-again', THREE), idempotencyKey: 'again' })
    expect(await outbox.cancel(id)).toBe('cancelled')
    await world.redis.del(idsOf(id).slice(1).map(keys.ended))
    expect(await outbox.cancel(id)).toBe('cancelled')
  })

  it('a later part takes that one back', async () => {
    const { id } = await outbox.send(text('o-one', THREE))
    expect(await outbox.cancel(`${id}p2`)).toBe('cancelled')
    const sent: string[] = []
    await world.consumer(delivering(sent))
    await vi.waitFor(() => expect(sent).toEqual([id, `${id}p3`]), WAIT_MS)
  })
})

describe('the limit', () => {
  it('refuses a longer text where none is cut, and what cannot be cut', async () => {
    const whole = world.outbox({ textBytesMax: 5 })
    const issues = (message: string) => ({ issues: [{ path: 'text.content', message }] })
    await expect(whole.send(text('o1', 'sixsix'))).rejects.toMatchObject(issues('must be at most 5 bytes of UTF-8'))
    await expect(outbox.send(text('o1', 'x'.repeat(251)))).rejects.toMatchObject(
      issues('must be at most 50 parts of 5 bytes of UTF-8'),
    )
    await expect(outbox.send(text('o1', '<a b="">x</a>'))).rejects.toMatchObject(
      issues('has a link, <a …>…</a>, of more than 5 bytes of UTF-8, which is not cut'),
    )
    expect(await laneOf('o1')).toEqual([])
  })
})
