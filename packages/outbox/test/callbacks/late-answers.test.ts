// WeChat's answer to a call may come after the message has died: its worker was taken for dead, and another one has ended the message. Such an
// answer changes nothing, the letter and the status included, so what was told stays true.
import { CALLBACK_TYPES, deadLetterIdOf } from '@wechat-outbox/messages'
import { expect, it, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import { readStatus } from '../../src/producer/status.ts'
import { workersBurier } from '../support/dead.ts'
import { createHand, type Held } from '../support/hand.ts'
import { APP, DELIVERED, dies, keys, memberOf, retry, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const tells = new Set(CALLBACK_TYPES)
const handOf = (name: string) => createHand(world, { tells, name })

/** Of every event that was ever written. */
async function told(): Promise<string[]> {
  const found = await world.redis.keys(keys.callbackJob('c-*'))
  return found.map((key) => key.slice(keys.callbackJobs.length)).toSorted()
}

async function admitted(held: Held): Promise<Held> {
  expect(await held.run.admit(memberOf(held.run))).toMatchObject({ kind: 'go' })
  return held
}

/** A run whose call is open, and whose worker is taken for dead. */
async function slowRun(): Promise<Held> {
  await world.accept([{ ...text('o-one'), idempotencyKey: 'order-1' }])
  const slow = await admitted(await handOf('slow').fetch())
  await slow.die()
  return slow
}

const burier = () => workersBurier(world.store, { tells })

/** How another worker, or a sweep, ends the message meanwhile. */
const DEATHS: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
  'nobody could know whether WeChat took it': async () =>
    (await admitted(await handOf('next').fetch())).settle(dies({ errcode: null, name: 'unsure' })),
  'WeChat refused the call after it': async () => (await admitted(await handOf('next').fetch())).settle(dies()),
  'its time was over before the next call': async (id) => {
    await (await admitted(await handOf('next').fetch())).settle(retry(60_000))
    const past = JSON.stringify({ v: 1, ...text('o-one'), expiresAt: Date.now() - 60_000 })
    await world.redis.hset(keys.sendJob(id), 'data', past)
    return burier().expire(id)
  },
  'another program has failed its job': async (id) => {
    await world.redis.multi().lrem(keys.sendWait, 1, id).zadd(keys.sendFailed, 1, id).exec()
    return burier().bury(id)
  },
}

it.each(Object.keys(DEATHS))(
  'a message stays dead, and is told of no more, although it was delivered: %s',
  async (how) => {
    const slow = await slowRun()
    const { id } = slow
    await DEATHS[how]?.(id)
    const before = await readStatus(world.store, APP, id)
    expect(before).toMatchObject({ status: 'dead', deadLetter: deadLetterIdOf(id) })
    const event = `c-${id.slice(2)}-dead`
    expect(await told()).toEqual([event])
    expect(await slow.settle(DELIVERED)).toMatchObject({ outcome: 'gone' })
    expect(await readStatus(world.store, APP, id)).toEqual(before)
    const outbox = world.outbox()
    expect(await outbox.send({ ...text('o-one'), idempotencyKey: 'order-1' })).toMatchObject({ id, status: 'dead' })
    expect(await told()).toEqual([event])
    expect(await world.redis.exists(keys.deadJob(deadLetterIdOf(id)))).toBe(1)
  },
)

it('its replay is another message, and the answer that comes after that is told of neither', async () => {
  const slow = await slowRun()
  await DEATHS['WeChat refused the call after it']?.(slow.id)
  await requestReplay(world.store, APP, deadLetterIdOf(slow.id))
  await replayRetried({ store: world.store, appid: APP, rememberMs: 60_000, perSecond: 0 })
  const replay = await vi.waitFor(async () => admitted(await handOf('replay').fetch()), 20_000)
  expect(replay.id).toBe(`${slow.id}-1`)
  expect(await slow.settle(DELIVERED)).toMatchObject({ outcome: 'gone' })
  await replay.settle(dies())
  expect(await readStatus(world.store, APP, slow.id)).toMatchObject({ status: 'replayed', replayedAs: replay.id })
  expect(await told()).toEqual([`c-${slow.id.slice(2)}-1-dead`, `c-${slow.id.slice(2)}-dead`])
})

it('a message that WeChat took before it would have died is told of as delivered alone', async () => {
  const slow = await slowRun()
  const next = await admitted(await handOf('next').fetch())
  expect(await slow.settle(DELIVERED)).toMatchObject({ outcome: 'done' })
  expect(await next.settle(dies())).toMatchObject({ outcome: 'settled' })
  expect(await readStatus(world.store, APP, slow.id)).toMatchObject({ status: 'delivered' })
  expect(await told()).toEqual([`c-${slow.id.slice(2)}-delivered`])
})
