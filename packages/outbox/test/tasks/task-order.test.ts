// Each person gets replays in the order in which the messages were accepted, whatever asks for them: several tasks at the same
// time, each at its own rate, and single replays beside them.
import { expect, it, vi } from 'vitest'
import { acceptanceOf } from '../../src/dead-letters/acceptance.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import {
  crowd,
  expectOrder,
  letDie,
  receivers,
  round,
  start,
  taskOf,
  untilEnded,
  untilReceived,
} from '../support/tasks.ts'
import { APP, keys, ownWorld, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

it('holds across several tasks and single replays, over several workers', async () => {
  const reasons = ['45015', '45047', '40003', '43004']
  const ids = await letDie(world, crowd(800, 25, reasons))
  const started: string[] = []
  // The later ones are asked for first.
  for (const errcode of ['43004', '40003', '45047', '45015'])
    started.push(await start(world, { action: 'replay', filter: { errcode: [errcode], acceptedSince: 1 } }))
  const singles = ids.filter((_, n) => n % 31 === 30).toReversed()
  await Promise.all(singles.map((id) => requestReplay(world.store, APP, id)))
  const received = receivers()
  for (let n = 0; n < 3; n += 1) await world.consumer(received.deliver)
  let done = 0
  for (const id of started) {
    const task = await untilEnded(world, id)
    expect(task.done + task.skipped).toBe(task.total)
    done += task.done
  }
  await untilReceived(received, 800)
  expectOrder(received)
  expect(done).toBeLessThanOrEqual(800)
  expect(await world.redis.keys(`${keys.prefix}:replay:*`)).toEqual([])
})

it('holds where an earlier letter waits in a task that is slow, which nobody waits for', async () => {
  // The slow task has everybody's first message, and the other one the second.
  const dying = Array.from({ length: 120 }, (_, n) => [`o-${n % 60}`, n < 60 ? '45015' : '45047'] as const)
  await letDie(world, dying)
  const slow = await start(world, { action: 'replay', filter: { errcode: ['45015'] }, perSecond: 1 })
  const quick = await start(world, { action: 'replay', filter: { errcode: ['45047'], notTouser: ['o-59'] } })
  const received = receivers()
  await world.consumer(received.deliver)
  expect(await untilEnded(world, quick)).toMatchObject({ total: 59, done: 59 })
  await vi.waitFor(() => expect(received.count()).toBeGreaterThanOrEqual(118), WAIT_MS)
  expectOrder(received)
  // Counted where they were asked for.
  const { total, done, skipped } = await taskOf(world, slow)
  expect({ total, skipped, isDone: done >= 59 }).toEqual({ total: 60, skipped: 0, isDone: true })
})

it('holds where one person has more waiting than fit into a batch', async () => {
  const dying = Array.from({ length: 130 }, (_, n) => ['o-1', n < 120 ? '45015' : '45047'] as const)
  await letDie(world, dying)
  await start(world, { action: 'replay', filter: { errcode: ['45015'] }, perSecond: 1 })
  const quick = await start(world, { action: 'replay', filter: { errcode: ['45047'] } })
  const received = receivers()
  await world.consumer(received.deliver)
  expect(await untilEnded(world, quick)).toMatchObject({ done: 10 })
  await untilReceived(received, 130)
  expectOrder(received)
})

it('holds for a single replay of a letter whose predecessor a task has', async () => {
  const ids = await letDie(world, [
    ['o-1', '45015'],
    ['o-2', '45015'],
    ['o-1', '45047'],
  ])
  await start(world, { action: 'replay', filter: { errcode: ['45015'], touser: ['o-1'] }, perSecond: 1 })
  await round(world)
  await requestReplay(world.store, APP, ids[2] ?? '')
  const { replayed } = await round(world)
  expect(replayed.map(({ replayOf }) => replayOf)).toEqual([ids[0], ids[2]])
})

it('holds where the letters of one task are still being found when those of another are known', async () => {
  await letDie(world, crowd(1300, 5, ['45015', '45047']))
  // All have to be looked through, and the few of the other stand in an index.
  const long = await start(world, { action: 'replay', filter: { errcode: ['45015', 'expired'] } })
  const short = await start(world, { action: 'replay', filter: { errcode: ['45047'], touser: ['o-1'] } })
  const received = receivers()
  await world.consumer(received.deliver)
  await untilEnded(world, long)
  const { done } = await untilEnded(world, short)
  await untilReceived(received, 650 + done)
  expectOrder(received)
})

it('goes on with what workers have left that knew no tasks: no entry by person, or one too many', async () => {
  const ids = await letDie(world, [
    ['o-1', '45015'],
    ['o-1', '45015'],
    ['o-1', '45047'],
  ])
  const [first = '', second = '', third = ''] = ids
  for (const id of [second, first]) await requestReplay(world.store, APP, id)
  const letters = await Promise.all(
    ids.map(async (id) => JSON.parse((await world.redis.hget(keys.deadJob(id), 'data')) ?? '')),
  )
  // As such a worker puts them in order; what it has replayed stays by person, and stands first.
  const [one = '', two = ''] = ids.map((id, n) => acceptanceOf(id, letters[n]))
  await world.redis.zadd(keys.replaysDue, 0, one, 0, two)
  await world.redis.del(keys.deadWait)
  for (let n = 0; n < 120; n += 1) {
    const gone = acceptanceOf(`d-gone${n}`, { ...letters[0], acceptedAt: 1 })
    await world.redis.zadd(keys.replaysDueOf, 0, `o-1:${gone}`)
  }
  await start(world, { action: 'replay', ids: [third] })
  const replayed: string[] = []
  while (replayed.length < 3) replayed.push(...(await round(world)).replayed.map(({ replayOf }) => replayOf))
  expect(replayed).toEqual([first, second, third])
  expect(await world.redis.exists(keys.replaysDue, keys.replaysDueOf, keys.tasksOpen)).toBe(0)
})
