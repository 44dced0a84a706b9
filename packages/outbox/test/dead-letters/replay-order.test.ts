// The first promise holds for replays, too: each person gets them in the order in which the messages were accepted, however
// they are asked for.
import { deadLetterIdOf, type JobData } from '@wechat-outbox/messages'
import { describe, expect, it, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import { type Run, readBacklog } from '../../src/engine.ts'
import { dying } from '../support/dead.ts'
import { APP, DELIVERED, dies, keys, memberOf, ownWorld, retry, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const PEOPLE = 40
const EACH = 6

/** Everybody's messages, those of one person in their order. */
const messages = Array.from({ length: PEOPLE * EACH }, (_, n) =>
  text(`o-${n % PEOPLE}`, String(Math.floor(n / PEOPLE))),
)

async function untilDead(count: number): Promise<void> {
  const all = { timeout: WAIT_MS, interval: 20 }
  await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadFailed)).toBe(count), all)
}

/** Lets all die. Returns the ids of the letters in the order of acceptance. */
async function letAllDie(deliver: (run: Run) => ReturnType<typeof dying> = dying): Promise<string[]> {
  const { consumer } = await world.consumer(deliver)
  const ids = await world.accept(messages)
  await untilDead(messages.length)
  await consumer.close(1000)
  return ids.map(deadLetterIdOf)
}

const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((one, n) => ({ one, by: (n * 7919) % 9973 }))
    .toSorted((a, b) => a.by - b.by)
    .map(({ one }) => one)

/** Delivers what is replayed. `all` waits until each person has everything, and returns what each got. */
async function startDelivery(workers = 1) {
  const got = new Map<string, string[]>()
  let count = 0
  const deliver = async (run: Run) => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    const data = run.data as JobData
    got.set(data.touser, [...(got.get(data.touser) ?? []), data.msgtype === 'text' ? data.text.content : ''])
    count += 1
    return DELIVERED
  }
  for (let n = 0; n < workers; n += 1) await world.consumer(deliver)
  return {
    async all(): Promise<Map<string, string[]>> {
      await vi.waitFor(() => expect(count).toBe(messages.length), { timeout: 2 * WAIT_MS, interval: 20 })
      return got
    },
  }
}

const IN_ORDER = Array.from({ length: EACH }, (_, n) => String(n))

function expectOrder(got: Map<string, string[]>): void {
  expect(got.size).toBe(PEOPLE)
  for (const [person, contents] of got) expect({ person, contents }).toEqual({ person, contents: IN_ORDER })
}

describe('each person gets replays in the order of acceptance', () => {
  it.each([
    ['newest first', (ids: string[]) => ids.toReversed()],
    ['in any order', shuffled],
  ])('when they are asked for %s while no worker runs, and several look at the same moment', async (_how, order) => {
    for (const id of order(await letAllDie())) await requestReplay(world.store, APP, id)
    expectOrder(await (await startDelivery(3)).all())
  })

  it('when they are asked for at once while a worker runs', async () => {
    const ids = await letAllDie()
    const delivery = await startDelivery()
    await Promise.all(ids.toReversed().map((id) => requestReplay(world.store, APP, id)))
    expectOrder(await delivery.all())
  })

  it('when they died in another order, by other means than ours', async () => {
    // A retry of the first holds its followers up: one person's letters die in their order, those of all people in none.
    const ids = await letAllDie(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      return turn.tries > 0 || run.id.charCodeAt(15) % 2 === 0 ? dies() : retry(5)
    })
    for (const id of shuffled(ids)) {
      const score = await world.redis.zscore(keys.deadFailed, id)
      // Earlier, not later: BullMQ retries only what has failed before now.
      await world.redis.zadd(keys.deadFailed, Number(score) - (id.charCodeAt(20) % 50), id)
    }
    await world.dead.retryJobs({ state: 'failed' })
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
    expectOrder(await (await startDelivery(2)).all())
  })
})

it('puts all that waits in order before the first is replayed, and shows it as waiting', async () => {
  const ids = await letAllDie()
  for (const id of ids.toReversed()) await requestReplay(world.store, APP, id)
  const { replayed } = await replayRetried({ store: world.store, appid: APP, rememberMs: 60_000, perSecond: 0 })
  expect(replayed.map(({ replayOf }) => replayOf)).toEqual(ids.slice(0, 50))
  expect(await world.redis.llen(keys.deadWait)).toBe(0)
  const { deadLetter } = await readBacklog(world.store, APP, Date.now())
  expect(deadLetter).toEqual({ waiting: ids.length - 50, active: 0, failed: 0 })
})
