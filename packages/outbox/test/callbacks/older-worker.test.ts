// In an upgrade workers are replaced one by one. Here a worker of today, whose app has a receiver, runs beside one from before callbacks,
// which ends what it holds with the scripts that it had. No message is lost or sent twice, and what is told is what the worker of today ended.
import { CALLBACK_TYPES, deadLetterIdOf, type JobData, type MessageEvent } from '@wechat-outbox/messages'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { liftTokenFault, reportFault, resumeApp } from '../../src/app-hold/hold.ts'
import type { TakenEvent } from '../../src/callbacks/turn.ts'
import { inspectLanes, listDeadLetters, readHold, requestReplay } from '../../src/engine.ts'
import type { Outbox } from '../../src/index.ts'
import { appFault } from '../support/app-fault.ts'
import { type About, olderProcess, restoreStored } from '../support/stored.ts'
import { APP, createWorld, DELIVERED, dies, keys, memberOf, reasonOf, WAIT_MS, type World } from '../support/world.ts'

const FIXTURE = 'older-worker-2026-11-29.json'
/** Its locks stand, and what was to be soon is due. */
const AGO_MS = 5000
const tells = new Set(CALLBACK_TYPES)

let world: World
let outbox: Outbox
let about: About
let older: (name: string) => Promise<unknown>
const told: TakenEvent[] = []
const called: string[] = []
/** Answers a call of the worker of today that is to stay open for a while. */
let answer = (): void => undefined

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 })
const idOf = (touser: string): string =>
  Object.entries(about.messages).find(([, one]) => one.touser === touser)?.[0] ?? ''
const statusOf = async (id: string): Promise<string | undefined> => (await outbox.status(id))?.status
const ended = (touser: string, status: string) => until(async () => expect(await statusOf(idOf(touser))).toBe(status))
const messagesTold = (): string[] =>
  told.flatMap(({ type, data }) => (type.startsWith('message.') ? [(JSON.parse(data) as MessageEvent).id] : []))

async function startWorker(): Promise<void> {
  const between = new Promise<void>((resolve) => (answer = resolve))
  const report = { told: () => undefined, receiver: () => undefined, lost: () => undefined }
  const call = (event: TakenEvent) => {
    told.push(event)
    return Promise.resolve({ kind: 'taken' as const })
  }
  await world.consumer(
    async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      called.push(run.id)
      if (run.id === idOf('o-between')) {
        await between
        return dies()
      }
      return (run.data as JobData).replayOf === undefined ? DELIVERED : dies({ errcode: 40003, name: 'invalid-openid' })
    },
    { receiver: { tells, print: 'p', call, report }, sweepEveryMs: 500 },
  )
}

beforeAll(async () => {
  world = await createWorld()
  outbox = world.outbox()
  about = await restoreStored(world.redis, FIXTURE, AGO_MS)
  older = await olderProcess(world.redis, FIXTURE, AGO_MS)
  const statuses = await Promise.all(Object.keys(about.messages).map(statusOf))
  expect(statuses).toEqual(Object.values(about.messages).map(({ status }) => status))
  await startWorker()
}, 60_000)
afterAll(() => world.close())

describe('beside a worker of today', () => {
  it('an older one settles what it holds: delivered, dead, and to be tried again', async () => {
    for (const touser of ['o-open-delivered', 'o-open-dead', 'o-open-retry']) {
      expect(await statusOf(idOf(touser))).toBe('sending')
      await older(touser)
    }
    await ended('o-open-delivered', 'delivered')
    await ended('o-open-dead', 'dead')
    await ended('o-open-retry', 'delivered')
  })

  it('an older one tells of a delivery after its message was taken over and ended', async () => {
    const id = idOf('o-taken-over')
    await world.redis.del(keys.sendLock(id))
    await ended('o-taken-over', 'delivered')
    await until(() => expect(messagesTold()).toContain(id))
    await older('o-taken-over')
    expect(await statusOf(id)).toBe('delivered')
  })

  it('an older one tells of a delivery while the other one calls, whose answer changes nothing', async () => {
    const id = idOf('o-between')
    await world.redis.del(keys.sendLock(id))
    await until(() => expect(called).toContain(id))
    await older('o-between')
    expect(await statusOf(id)).toBe('delivered')
    answer()
    await until(async () => expect(await world.redis.lrange(keys.lane('o-between'), '0', '-1')).toEqual([]))
    expect(await statusOf(id)).toBe('delivered')
  })
})

describe('in the end', () => {
  it('every message has ended, in its order, and none was sent once more than it had to be', async () => {
    const ids = Object.keys(about.messages)
    const ends = Object.values(about.messages).map(({ end }) => end.status)
    await until(async () => expect(await Promise.all(ids.map(statusOf))).toEqual(ends))
    for (const touser of new Set(Object.values(about.messages).map((one) => one.touser))) {
      const ofPerson = ids.filter((id) => about.messages[id]?.touser === touser)
      const expected = ofPerson.filter((id) => called.includes(id))
      expect(called.filter((id) => ofPerson.includes(id))).toEqual(expected)
    }
    const { items } = await listDeadLetters(world.store, APP, {})
    const reasons = Object.fromEntries(
      items.map(({ messageId, reason }) => [messageId, `${reason.errcode ?? reason.name}`]),
    )
    expect(reasons).toEqual(
      Object.fromEntries(
        Object.entries(about.messages).flatMap(([id, { end }]) => (end.reason === undefined ? [] : [[id, end.reason]])),
      ),
    )
    const found = []
    for await (const problem of inspectLanes(world.store, { appid: APP, againAfterMs: 0 })) found.push(problem)
    expect(found).toEqual([])
  })

  it('the receiver was told once of each message that the worker of today ended, and of no other', async () => {
    const expected = Object.entries(about.messages).flatMap(([id, { end }]) => (end.told === true ? [id] : []))
    await until(() => expect(messagesTold().toSorted()).toEqual(expected.toSorted()))
    const types = new Map(told.map(({ type, data }) => [(JSON.parse(data) as MessageEvent).id, type]))
    expect(types.get(idOf('o-away'))).toBe('message.expired-waiting')
  })

  it('what the older one buried is told of when its replay ends', async () => {
    const id = idOf('o-open-dead')
    await requestReplay(world.store, APP, deadLetterIdOf(id))
    await until(() => expect(messagesTold()).toContain(`${id}-1`))
    const event = told.find(({ id: event }) => event === `c-${id.slice(2)}-1-dead`)
    expect(JSON.parse(event?.data ?? '{}')).toMatchObject({ replayOf: deadLetterIdOf(id), errcode: 40003 })
  })
})

it('an app that an older wxo resumes goes on untold, and what becomes of it afterwards is told as before', async () => {
  const fault = appFault({ cause: 'token', reason: reasonOf({ errcode: 40125, name: 'secret-invalid' }) })
  const ofApp = (): string[] => told.flatMap(({ type }) => (type.startsWith('app.') ? [type] : []))
  await reportFault(world.store, APP, { token: 't', tells, fault })
  await until(() => expect(ofApp()).toEqual(['app.suspended']))
  await older('resume')
  expect(await readHold(world.store, APP)).toBeNull()
  await reportFault(world.store, APP, { token: 't', tells, fault })
  await resumeApp(world.store, APP)
  await until(() => expect(ofApp().toSorted()).toEqual(['app.resumed', 'app.suspended', 'app.suspended']))
  await liftTokenFault(world.store, APP)
  expect(await world.redis.exists(keys.callbackSuspended)).toBe(0)
})
