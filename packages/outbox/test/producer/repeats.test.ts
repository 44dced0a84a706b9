// A repeat with the idempotency key of a message that has ended hears how that ended, for as long as the key is known,
// whatever the worker remembers by itself; and never that it was delivered where nobody knows.
import { deadLetterIdOf, type SendRequest } from '@wechat-outbox/messages'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { expireDeadLetters, requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import type { Outbox } from '../../src/producer/outbox.ts'
import { idempotencyDigest } from '../../src/redis/keys.ts'
import type { Consumer } from '../../src/worker/consumer.ts'
import { dying, untilDead } from '../support/dead.ts'
import { APP, createWorld, DELIVERED, delivering, keys, memberOf, text, WAIT_MS, type World } from '../support/world.ts'

let world: World
let outbox: Outbox
const consumers: Consumer[] = []
beforeAll(async () => {
  world = await createWorld()
  outbox = world.outbox({ idempotencyTtlHours: 8760 })
})
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close(2000)))
})
afterAll(() => world.close())

const DAY_MS = 86_400_000
/** Much less than any key lives. */
const REMEMBER_MS = 1

async function work(...[deliver, options]: Parameters<World['consumer']>): Promise<void> {
  const { consumer } = await world.consumer(deliver, { rememberMs: REMEMBER_MS, ...options })
  consumers.push(consumer)
}
const gone = (id: string): Promise<unknown> =>
  vi.waitFor(async () => expect(await world.redis.exists(keys.sendJob(id))).toBe(0), WAIT_MS)

async function die(id: string): Promise<string> {
  await work(dying)
  await untilDead(world, id)
  return deadLetterIdOf(id)
}

interface Ending {
  readonly what: string
  readonly end: (id: string) => Promise<unknown>
  readonly receipt: string
  /** What `status` says of it; null where nothing is left but what stands beside the key. */
  readonly status: string | null
}

const NONE_KEPT = { retain: { deliveredMs: 3_600_000, deliveredMax: 0, deadMs: 3_600_000 } }

const ENDINGS: readonly Ending[] = [
  { what: 'was cancelled', end: (id) => outbox.cancel(id), receipt: 'cancelled', status: 'cancelled' },
  {
    what: 'died and was discarded',
    end: async (id) => discardDeadLetter(world.store, { appid: APP, id: await die(id) }, REMEMBER_MS),
    receipt: 'discarded',
    status: 'discarded',
  },
  {
    what: 'died so long ago that its dead letter has expired',
    async end(id) {
      await die(id)
      await expireDeadLetters(world.store, { appid: APP, before: Date.now() + DAY_MS })
    },
    receipt: 'discarded',
    status: 'discarded',
  },
  {
    what: 'died and was replayed',
    async end(id) {
      await requestReplay(world.store, APP, await die(id))
      await replayRetried({ store: world.store, appid: APP, rememberMs: REMEMBER_MS, perSecond: 0 })
      await gone(id)
    },
    receipt: 'replayed',
    status: 'replayed',
  },
  {
    what: 'was delivered and has left Redis',
    async end(id) {
      await work(delivering([]), NONE_KEPT)
      await gone(id)
    },
    receipt: 'delivered',
    status: null,
  },
  {
    what: 'is dead',
    end: (id) => die(id),
    receipt: 'dead',
    status: 'dead',
  },
  {
    what: 'was deleted by hand while it waited',
    end: async (id) => (await world.send.getJob(id))?.remove(),
    receipt: 'unknown',
    status: null,
  },
  {
    what: 'died, and whose dead letter was deleted by hand',
    end: async (id) => (await world.dead.getJob(await die(id)))?.remove(),
    receipt: 'unknown',
    status: null,
  },
  {
    what: 'was deleted by hand while WeChat took it',
    async end(id) {
      await work(async (run) => {
        const turn = await run.admit(memberOf(run))
        if (turn.kind !== 'go') return turn
        await world.redis.del(keys.sendJob(run.id))
        return DELIVERED
      })
      await vi.waitFor(async () => expect(await world.redis.exists(keys.sendActive, keys.sendWait)).toBe(0), WAIT_MS)
      await gone(id)
    },
    receipt: 'unknown',
    status: null,
  },
]

describe.each([
  ['now', undefined],
  ['in thirty days', 30 * DAY_MS],
])('the repeat of a message to be sent %s', (when, inMs) => {
  it.each(ENDINGS)('that $what hears "$receipt"', async ({ what, end, receipt, status }) => {
    const request: SendRequest = {
      ...text(`o-${ENDINGS.findIndex((one) => one.what === what)}`),
      idempotencyKey: `${when} ${what}`,
      ...(inMs === undefined ? {} : { sendAt: Date.now() + inMs }),
    }
    const first = await outbox.send(request)
    // Somebody has decided that it goes now.
    if (inMs !== undefined && receipt !== 'cancelled') await (await world.send.getJob(first.id))?.promote()
    await end(first.id)
    const startedAt = performance.now()
    // Whatever was to be remembered for so long only is over.
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(startedAt + 10), 20_000)
    expect(await outbox.send(request)).toEqual({ id: first.id, status: receipt, duplicate: true })
    expect((await outbox.status(first.id))?.status ?? null).toBe(status)
    const record = keys.idempotency + idempotencyDigest(request.idempotencyKey ?? '')
    const keyMs = await world.redis.pttl(record)
    expect(keyMs).toBeGreaterThan(364 * DAY_MS + (inMs ?? 0))
    const isRemembered = (await world.redis.exists(keys.ended(first.id))) === 1
    if (isRemembered) expect(await world.redis.pttl(keys.ended(first.id))).toBeGreaterThan(keyMs - 60_000)
  })
})
