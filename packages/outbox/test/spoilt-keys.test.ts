// Another program has put something else under a key of the app. A message is stored whole all the same, or not at all: half of one would
// stand in its lane without ever being fetched, and nobody behind it would be either.
import type { SendRequest } from '@wechat-outbox/messages'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { pauseApp, resumeApp } from '../src/app-hold/hold.ts'
import { listDeadLetters, requestReplay } from '../src/dead-letters/list.ts'
import { idempotencyDigest } from '../src/redis/keys.ts'
import type { Run, Settlement } from '../src/worker/run.ts'
import { untilDead } from './support/dead.ts'
import { dumpQueue, Steps } from './support/queue-dump.ts'
import { spoil } from './support/spoil.ts'
import { start } from './support/tasks.ts'
import {
  APP,
  DELIVERED,
  delivering,
  dies,
  keys,
  memberOf,
  type Reported,
  retry,
  sharedWorld,
  text,
  WAIT_MS,
} from './support/world.ts'

const world = sharedWorld({ isFlushed: true })

/** Workers, until the end of the test. */
async function work(deliver: (run: Run) => Promise<Settlement>): Promise<Reported> {
  const reported = await world.consumer(deliver)
  onTestFinished(async () => void (await reported.consumer.close(WAIT_MS)))
  return reported
}

/** Told to others and counted, and no part of any message. */
const BESIDE = ['send:events', 'send:id', 'send:meta', 'send:marker', 'dead-letter:meta']

async function stored(): Promise<unknown> {
  const dump = await dumpQueue(world.redis, `${keys.prefix}:`, new Steps())
  return Object.fromEntries(Object.entries(dump).filter(([name]) => !BESIDE.includes(name)))
}

const SPOILT = [
  ['what waits', keys.sendWait],
  ['what is delayed', keys.sendDelayed],
  ['what expires', keys.expiring],
  ['the lanes with parked messages', keys.parkedLanes],
  ['the events', keys.sendEvents],
  ['the marker', keys.sendMarker],
  ['the counter of ids', keys.sendId],
  ['the settings of the queue', keys.sendMeta],
  ['what was delivered', keys.sendCompleted],
  ['what waits for its user', keys.sendAwaitingUser],
] as const

/** What nothing that is stored depends on. */
const PASSED_OVER: readonly string[] = [keys.sendEvents, keys.sendMarker, keys.sendId]

const IN_AN_HOUR = Date.now() + 3_600_000
const one = (more: Partial<SendRequest> = {}): SendRequest => ({ ...text('o-1', 'new'), ...more }) as SendRequest

const KINDS: readonly [string, SendRequest[], () => SendRequest][] = [
  ['a message', [], () => one()],
  ['a message behind another', [text('o-1', 'old')], () => one()],
  ['a scheduled message', [], () => one({ sendAt: IN_AN_HOUR })],
  ['a message that expires', [], () => one({ expiresAt: IN_AN_HOUR })],
  ['a text in parts', [], () => ({ ...text('o-1', 'one two three'), expiresAt: IN_AN_HOUR })],
  ['a text in parts, behind another', [text('o-1', 'old')], () => text('o-1', 'one two three')],
  ['a message with a collapse key', [], () => one({ collapseKey: 'k' })],
  ['a message that replaces another', [one({ collapseKey: 'k' })], () => one({ collapseKey: 'k' })],
  [
    'a message that replaces another, behind a third',
    [text('o-1', 'old'), one({ collapseKey: 'k', expiresAt: IN_AN_HOUR })],
    () => one({ collapseKey: 'k' }),
  ],
]

describe.each(KINDS)('%s', (_kind, before, next) => {
  it.each(SPOILT)('is stored whole or not at all where another program has spoilt %s', async (_what, key) => {
    const outbox = world.outbox({ textBytesMax: 5, textSplit: true })
    const accepted = await world.accept(before)
    const was = await stored()
    const mend = await spoil(world.redis, key)
    const answer = await outbox
      .send({ ...next(), idempotencyKey: 'next' })
      .catch((error: unknown) => (error as { code: string }).code)
    await mend()
    if (PASSED_OVER.includes(key)) expect(answer).toBeTypeOf('object')
    if (typeof answer === 'string') {
      expect(answer).toBe('WXO_UNAVAILABLE')
      expect(await stored()).toEqual(was)
    }
    const last = [await outbox.send({ ...next(), idempotencyKey: 'next' }), await outbox.send(text('o-1', 'last'))]
    // What was accepted the first time is known the second time.
    expect(last[0]).toMatchObject(
      typeof answer === 'string' ? { duplicate: false } : { id: answer.id, duplicate: true },
    )
    await work(delivering([]))
    const open = [...accepted, ...last.map(({ id }) => id)]
    await vi.waitFor(async () => {
      const ends = await Promise.all(open.map(async (id) => (await outbox.status(id))?.status))
      expect(ends.filter((end) => !['delivered', 'superseded', 'scheduled'].includes(end ?? ''))).toEqual([])
    }, WAIT_MS)
  })
})

it.each(SPOILT)(
  'a replay is made whole or stays a dead letter where another program has spoilt %s',
  async (_what, key) => {
    const { id } = await world.outbox().send(text('o-1', 'dead'))
    const dying = await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      return turn.kind === 'go' ? dies() : turn
    })
    await untilDead(world, id)
    await dying.consumer.close(WAIT_MS)
    const mend = await spoil(world.redis, key)
    await requestReplay(world.store, APP, (await listDeadLetters(world.store, APP, { limit: 1 })).items[0]?.id ?? '')
    const sent: string[] = []
    const { problems } = await work(delivering(sent))
    await vi.waitFor(() => expect(sent.length + problems.length).toBeGreaterThan(0), WAIT_MS)
    await mend()
    await vi.waitFor(() => expect(sent).toHaveLength(1), WAIT_MS)
  },
)

it.each([
  ['the events', [keys.sendEvents, `${keys.deadJobs}events`]],
  ['the markers', [keys.sendMarker, keys.deadMarker]],
])('messages live and die as ever where another program has spoilt %s for good', async (_what, spoilt) => {
  const outbox = world.outbox()
  for (const key of spoilt) await spoil(world.redis, key)
  const seen: string[] = []
  const contentOf = (run: Run): string => (run.data as { text: { content: string } }).text.content
  const [cancelled = '', ...ids] = await world.accept(
    ['cancelled', 'delivered', 'tried twice', 'dead', 'behind it'].map((content) => text('o-1', content)),
  )
  expect(await outbox.cancel(cancelled)).toBe('cancelled')
  await pauseApp(world.store, APP)
  await work(async (run) => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    const content = contentOf(run)
    const isFirst = !seen.includes(content)
    seen.push(content)
    if (content === 'tried twice' && isFirst) return retry(1)
    return content === 'dead' && isFirst ? dies() : DELIVERED
  })
  await resumeApp(world.store, APP)
  const endOf = async (id: string): Promise<string | undefined> => (await outbox.status(id))?.status
  const ends = () => Promise.all(ids.map(endOf))
  await vi.waitFor(async () => expect(await ends()).toEqual(['delivered', 'delivered', 'dead', 'delivered']), WAIT_MS)
  expect(seen).toEqual(['delivered', 'tried twice', 'tried twice', 'dead', 'behind it'])
  await start(world, { action: 'replay', filter: {} })
  await vi.waitFor(() => expect(seen.at(-1)).toBe('dead'), WAIT_MS)
})

it('a message is delivered where another program has spoilt the record of its idempotency key', async () => {
  const outbox = world.outbox()
  const { id } = await outbox.send({ ...text('o-1'), idempotencyKey: 'k' })
  await spoil(world.redis, keys.idempotency + idempotencyDigest('k'))
  await work(delivering([]))
  await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('delivered'), WAIT_MS)
})
