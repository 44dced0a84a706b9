// Redis forgets its scripts: SCRIPT FLUSH, a failover, a restart. Here it forgets them all the time, also where another program with
// BullMQ on the same Redis makes it know BullMQ's again and again. What WeChat refuses becomes a dead letter once and stays
// one until somebody asks; whoever waits behind it goes on.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { APP, DELIVERED, dies, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 })

function forgetAllTheTime(): void {
  let going = true
  const forget = async (): Promise<void> => {
    await world.redis.script('FLUSH').catch(() => undefined)
    if (going) setTimeout(() => void forget(), 1)
  }
  void forget()
  onTestFinished(() => void (going = false))
}

/** Adds jobs and works on them: whatever BullMQ's scripts are, Redis knows them. */
async function anotherProgram(): Promise<void> {
  const connection = (world.redis as Redis).duplicate()
  connection.on('error', () => undefined)
  const queue = new Queue('other', { connection })
  const worker = new Worker('other', async () => queue.add('more', {}, { delay: 5, removeOnComplete: true }), {
    connection: connection.duplicate(),
    removeOnComplete: { count: 10 },
  })
  queue.on('error', () => undefined)
  worker.on('error', () => undefined)
  onTestFinished(async () => {
    await worker.close(true)
    await queue.close()
    connection.disconnect()
  })
  for (let n = 0; n < 5; n += 1) await queue.add('first', {})
}

describe.each([
  ['', () => Promise.resolve()],
  [' and another program knows BullMQ’s', anotherProgram],
] as const)('a Redis that forgets its scripts%s', (_what, others) => {
  it('has every dead letter once, lets followers go on, and replays what is asked for', async () => {
    const calls: string[] = []
    const deliver = async (run: Run): Promise<Settlement> => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      calls.push(run.id)
      return (run.data as { text: { content: string } }).text.content === 'dies' ? dies() : DELIVERED
    }
    await others()
    forgetAllTheTime()
    const workers = [await world.consumer(deliver), await world.consumer(deliver)]
    const people = Array.from({ length: 40 }, (_, n) => `o-${n}`)
    const dying = await world.accept(people.map((one) => text(one, 'dies')))
    const followers = await world.accept(people.map((one) => text(one)))
    dying.push(...(await world.accept(people.map((one) => text(one, 'dies')))))
    const all = [...dying, ...followers]
    await until(async () => {
      expect(await world.redis.zcard(keys.deadFailed)).toBe(dying.length)
      expect(await world.redis.zcard(keys.sendCompleted)).toBe(followers.length)
    })
    expect(calls.toSorted()).toEqual(all.toSorted())
    // Whatever would replay by itself has had its turns, because one that is asked for comes after them.
    const [asked = ''] = dying
    expect(await requestReplay(world.store, APP, deadLetterIdOf(asked))).toMatchObject({ kind: 'requested' })
    await until(async () => expect(await world.redis.exists(keys.deadJob(`${deadLetterIdOf(asked)}-1`))).toBe(1))
    expect(calls.slice(all.length)).toEqual([`${asked}-1`])
    expect(await world.redis.exists(keys.sendFailed, keys.sendWait, keys.sendActive, keys.deadWait)).toBe(0)
    expect(await world.redis.zcard(keys.deadFailed)).toBe(dying.length)
    const told = workers.flatMap(({ dead }) => dead.map(({ id }) => id))
    expect(told.toSorted()).toEqual([...dying, `${asked}-1`].map(deadLetterIdOf).toSorted())
    expect(workers.flatMap(({ replayed }) => replayed)).toHaveLength(1)
  })
})
