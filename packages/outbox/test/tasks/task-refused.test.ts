// A task whose steps Redis refuses, or answers without being heard, is carried out all the same: nothing is lost or doubled.
import { REDIS_ERRORS, scriptNamesOf } from '@wechat-outbox/sandbox'
import { describe, expect, it, vi } from 'vitest'
import { openStore } from '../../src/redis/store.ts'
import { cancelTask } from '../../src/tasks/task.ts'
import { connectThroughProxy } from '../support/proxied.ts'
import { REFUSALS, whileRefusing } from '../support/refusals.ts'
import { crowd, expectOneEach, letDie, pauseSending, receivers, start, taskOf, untilEnded } from '../support/tasks.ts'
import { APP, keys, ownWorld, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

/** Four batches: the first of each step meets the rule, and the last. */
const LETTERS = 160

describe('a step that Redis refuses', () => {
  // Of those that make Redis refuse writes, run no script, forget its scripts, and serve nobody, one each.
  const errors = (['READONLY', 'BUSY', 'NOSCRIPT', 'LOADING'] as const).map(
    (name) => [name, REDIS_ERRORS[name]] as const,
  )
  const steps = ['task-select', 'replay', 'take-back', 'discard'] as const

  it.each(errors)('is repeated after %s, and nothing is lost or doubled', async (name, error) => {
    await refusing((nth) => (nth % 3 === 1 ? { refuse: error } : undefined), name)
  })

  it('is repeated when its answer is lost', async () => {
    await refusing((nth) => (nth % 3 === 1 ? 'lose-reply' : undefined), 'lost')
  })

  it.each(REFUSALS)('is repeated after a Redis that really says %s', async (how) => {
    const ids = await letDie(world, crowd(1500, 7))
    await pauseSending(world)
    await world.consumer(receivers().deliver)
    const id = await start(world, { action: 'replay', filter: {} })
    await vi.waitFor(async () => expect((await taskOf(world, id)).done).toBeGreaterThan(0), {
      timeout: WAIT_MS,
      interval: 1,
    })
    await whileRefusing(world.url, { how, ms: 500 }, () => Promise.resolve())
    expect(await untilEnded(world, id)).toMatchObject({ total: 1500, done: 1500, skipped: 0, failed: 0 })
    await expectOneEach(world, ids, 7)
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
  })

  type Rule = (nth: number) => { refuse: string } | 'lose-reply' | undefined

  /** Carries out a replay, takes it back, and discards all, by a worker whose every third step meets the rule. */
  async function refusing(rule: Rule, name: string): Promise<void> {
    const ids = await letDie(world, crowd(LETTERS, 7))
    await pauseSending(world)
    const nth = new Map<string, number>()
    const { proxy, client } = await connectThroughProxy(world)
    const nameOf = scriptNamesOf(client)
    proxy.setOnCommand((command) => {
      const step = nameOf(command)?.slice('wxo:'.length) ?? ''
      if (!(steps as readonly string[]).includes(step)) return undefined
      // A client that is told NOSCRIPT sends the script itself.
      if (name === 'NOSCRIPT' && command[0] === 'eval') return undefined
      nth.set(step, (nth.get(step) ?? 0) + 1)
      return rule(nth.get(step) ?? 0)
    })
    await world.consumer(receivers().deliver, { store: await openStore(client), sharedWait: undefined })
    const id = await start(world, { action: 'replay', filter: {} })
    expect(await untilEnded(world, id)).toMatchObject({ total: LETTERS, done: LETTERS, skipped: 0, failed: 0 })
    await expectOneEach(world, ids, 7)
    // The caller does nothing of it, so the worker does all.
    await world.redis.hset(keys.task(id), 'takingBack', '1', 'status', 'cancelled')
    await world.redis.zadd(keys.tasksOpen, Date.now(), id)
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.tasksOpen)).toBe(0), {
      timeout: 3 * WAIT_MS,
      interval: 20,
    })
    expect(await taskOf(world, id)).toMatchObject({ takenBack: LETTERS })
    expect(await world.redis.zcard(keys.deadFailed)).toBe(LETTERS)
    expect(await cancelTask(world.store, { appid: APP, id }, false)).toMatchObject({ kind: 'ended' })
    const discard = await start(world, { action: 'discard', filter: {} })
    expect(await untilEnded(world, discard)).toMatchObject({ total: LETTERS, done: LETTERS, skipped: 0, failed: 0 })
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
    for (const step of steps) expect({ step, met: (nth.get(step) ?? 0) > 0 }).toEqual({ step, met: true })
  }
})
