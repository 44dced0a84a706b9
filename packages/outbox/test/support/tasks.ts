/** Dead letters of several people and reasons, and what becomes of them when tasks replay them. */
import { deadLetterIdOf, type JobData, replayIdOf } from '@wechat-outbox/messages'
import { expect, vi } from 'vitest'
import type { Run, Settlement } from '../../src/engine.ts'
import type { Store } from '../../src/redis/store.ts'
import { type Round, runRound } from '../../src/tasks/step.ts'
import type { NewTask, Task } from '../../src/tasks/task.ts'
import { createTask, readTask } from '../../src/tasks/task.ts'
import { APP, DELIVERED, dies, keys, memberOf, text, WAIT_MS, type World } from './world.ts'

const LONG = { timeout: 3 * WAIT_MS, interval: 10 }

/** Each is a recipient and what its message dies of: `45015`, or a reason without a code. */
export type Dying = readonly [touser: string, reason: string]

const contentOf = (run: Run): string => {
  const data = run.data as JobData
  return data.msgtype === 'text' ? data.text.content : ''
}

async function die(run: Run): Promise<Settlement> {
  const turn = await run.admit(memberOf(run))
  if (turn.kind !== 'go') return turn
  const [reason = ''] = contentOf(run).split(' ')
  const errcode = /^\d+$/.test(reason) ? Number(reason) : null
  return dies({ errcode, name: errcode === null ? reason : `code-${reason}`, errmsg: '' })
}

/** Lets messages die. Returns the ids of their letters in the order of acceptance. */
export async function letDie(world: World, dying: readonly Dying[]): Promise<string[]> {
  const before = await world.redis.zcard(keys.deadFailed)
  const { consumer } = await world.consumer(die)
  const ids: string[] = []
  for (let from = 0; from < dying.length; from += 1000) {
    const part = dying.slice(from, from + 1000)
    ids.push(...(await world.accept(part.map(([touser, reason], n) => text(touser, `${reason} ${from + n}`)))))
  }
  const count = before + dying.length
  await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadFailed)).toBeGreaterThanOrEqual(count), LONG)
  await consumer.close(1000)
  return ids.map(deadLetterIdOf)
}

/** So many messages to so many people, in turns, all dead of one code or of several. */
export const crowd = (count: number, people: number, reasons: readonly string[] = ['45015']): Dying[] =>
  Array.from({ length: count }, (_, n) => [`o-${n % people}`, reasons[n % reasons.length] ?? ''])

export async function start(world: World, asked: Omit<NewTask, 'by'>): Promise<string> {
  const task = await createTask(world.store, APP, { by: 'test@here', ...asked })
  if (task === null) throw new Error('too many tasks')
  return task.id
}

export async function taskOf(world: World, id: string): Promise<Task> {
  const task = await readTask(world.store, APP, id)
  if (task === null) throw new Error(`no task ${id}`)
  return task
}

export async function untilEnded(world: World, id: string): Promise<Task> {
  return vi.waitFor(async () => {
    const task = await taskOf(world, id)
    if (task.status === 'running') throw new Error(`${task.done} of ${task.total}`)
    return task
  }, LONG)
}

export interface Receivers {
  /** Numbers of the messages that each person got, in the order in which they came. */
  readonly got: Map<string, number[]>
  readonly count: () => number
  readonly deliver: (run: Run) => Promise<Settlement>
}

/** Delivers everything, and remembers it. */
export function receivers(): Receivers {
  const got = new Map<string, number[]>()
  let count = 0
  return {
    got,
    count: () => count,
    async deliver(run) {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      const { touser } = memberOf(run)
      got.set(touser, [...(got.get(touser) ?? []), Number(contentOf(run).split(' ')[1])])
      count += 1
      return DELIVERED
    },
  }
}

export async function untilReceived({ count }: Receivers, expected: number): Promise<void> {
  await vi.waitFor(() => expect(count()).toBe(expected), LONG)
}

/** Each person got each message once, and in the order in which they were accepted. */
export function expectOrder({ got }: Receivers): void {
  for (const [person, numbers] of got) {
    expect({ person, numbers }).toEqual({ person, numbers: [...new Set(numbers)].toSorted((a, b) => a - b) })
  }
}

const ROUND = { appid: APP, rememberMs: 60_000, perSecond: 0 }

/** One round by hand, as a worker makes them. */
export const round = ({ store }: Pick<World, 'store'>): Promise<Round> => runRound({ ...ROUND, store })

/** A store through which `meanwhile` happens once: after the first read of hashes that begin with `prefix`, and before what is made of it. */
export function storeAround({ store, redis }: World, prefix: string, meanwhile: () => Promise<unknown>): Store {
  const around = Object.create(redis) as typeof redis
  let happening: Promise<unknown> | undefined
  around.hmget = (async (...args: Parameters<typeof redis.hmget>) => {
    const read = await redis.hmget(...args)
    if (String(args[0]).startsWith(prefix)) await (happening ??= meanwhile())
    return read
  }) as typeof redis.hmget
  return { ...store, redis: around }
}

/** Rounds by hand, until the task has ended. */
export async function carryOut(world: World, id: string): Promise<void> {
  while ((await taskOf(world, id)).status === 'running') await round(world)
}

/** Nothing is sent, so what was replayed waits as it was stored. */
export const pauseSending = (world: World) => world.redis.hset(keys.sendMeta, 'paused', '1')

/** Each letter has given one message, which waits in its person's lane in the order of acceptance. */
export async function expectOneEach(world: World, ids: readonly string[], people: number): Promise<void> {
  const jobs = await world.redis.keys(`${keys.sendJobs}m-*`)
  expect(new Set(jobs)).toEqual(new Set(ids.map((id) => keys.sendJob(replayIdOf(id)))))
  for (let person = 0; person < people; person += 1) {
    const expected = ids.filter((_, n) => n % people === person).map(replayIdOf)
    expect(await world.redis.lrange(keys.lane(`o-${person}`), '0', '-1')).toEqual(expected)
  }
}
