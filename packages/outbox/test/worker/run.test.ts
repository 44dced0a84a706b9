import { Worker } from 'bullmq'
import { describe, expect, it, vi } from 'vitest'
import { appPrefix } from '../../src/redis/keys.ts'
import type { Turn } from '../../src/worker/turn.ts'
import {
  APP,
  ASKING,
  attemptMade,
  delivering,
  keys,
  memberOf,
  ownWorld,
  retry,
  text,
  WAIT_MS,
} from '../support/world.ts'

const world = ownWorld()

/** Fetches the message as a worker would that dies at once: its lock lapses, and whatever it had marked stays. */
async function dieHolding(id: string, marked: boolean): Promise<void> {
  const options = {
    connection: world.redis,
    prefix: appPrefix(APP),
    lockDuration: 100,
    skipLockRenewal: true,
    skipStalledCheck: true,
  }
  const fetched = Promise.withResolvers<void>()
  const dying = new Worker(
    'send',
    () => {
      fetched.resolve()
      return new Promise(() => undefined)
    },
    options,
  )
  dying.on('error', () => undefined)
  await fetched.promise
  if (marked) await world.redis.hset(keys.sendJob(id), 'sending', String(Date.now() - 5000))
  await dying.close(true)
}

describe('a message whose worker died', () => {
  async function takenOver(marked: boolean): Promise<{ turn: Turn; id: string }> {
    const { id } = await world.outbox().send(text('o-orphan'))
    await dieHolding(id, marked)
    const turn = Promise.withResolvers<Turn>()
    await world.consumer(
      async (run) => {
        const admitted = await run.admit(memberOf(run))
        turn.resolve(admitted)
        return admitted.kind === 'go' ? { kind: 'delivered', attempts: [attemptMade()] } : admitted
      },
      { stalledAfterMs: 1000 },
    )
    return { turn: await turn.promise, id }
  }

  it('is simply sent when it was only fetched', async () => {
    const { turn } = await takenOver(false)
    expect(turn).toMatchObject({ kind: 'go', tries: 0 })
  })

  it('is told to be interrupted, and the try counts, when its call was open', async () => {
    const { turn } = await takenOver(true)
    expect(turn).toMatchObject({ kind: 'go', tries: 1 })
    expect(turn.kind === 'go' && turn.interruptedMsAgo).toBeGreaterThanOrEqual(5000)
  })

  it('bears the mark that a call may be open from admission to settlement, and again after a token', async () => {
    const { id } = await world.outbox().send(text('o-marked'))
    const mark = (): Promise<string | null> => world.redis.hget(keys.sendJob(id), 'sending')
    const marks: (string | null)[] = []
    await world.consumer(async (run) => {
      marks.push(await mark())
      await run.admit(memberOf(run))
      marks.push(await mark())
      await run.unmark()
      marks.push(await mark())
      expect(await run.admit(memberOf(run))).toMatchObject({ kind: 'go', tries: 0 })
      marks.push(await mark())
      return { kind: 'delivered', attempts: [attemptMade()] }
    }, ASKING)
    await vi.waitFor(async () => expect((await world.send.getJob(id))?.finishedOn).toBeDefined(), 5000)
    expect([...marks, await mark()].map((one) => (one ?? '') !== '')).toEqual([false, true, false, true, false])
  })

  it('does not take its own mark for a dead run’s when the client repeats the command after a lost reply', async () => {
    const { id } = await world.outbox().send(text('o-again'))
    const turns: Turn[] = []
    await world.consumer(async (run) => {
      turns.push(await run.admit(memberOf(run)), await run.admit(memberOf(run)))
      return { kind: 'delivered', attempts: [attemptMade()] }
    })
    await vi.waitFor(async () => expect((await world.send.getJob(id))?.finishedOn).toBeDefined(), 5000)
    const go = { kind: 'go', tries: 0, leaseFrom: expect.any(Number) }
    expect(turns).toEqual([go, go])
  })

  it('is finished without sending when WeChat had taken it', async () => {
    const { id } = await world.outbox().send(text('o-taken'))
    await world.redis.hset(keys.sendJob(id), 'settled', 'delivered')
    const sent: string[] = []
    await world.consumer(delivering(sent))
    await vi.waitFor(async () => expect((await world.send.getJob(id))?.finishedOn).toBeDefined(), 5000)
    expect(sent).toEqual([])
    expect(await world.redis.exists(keys.lane('o-taken'))).toBe(0)
  })
})

describe('settling', () => {
  it('takes the message off its lane wherever it stands there', async () => {
    const outbox = world.outbox()
    const later = await outbox.send({ ...text('o-middle'), sendAt: Date.now() + 60_000 })
    const { id } = await outbox.send(text('o-middle'))
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      await world.redis.lpush(keys.lane('o-middle'), later.id)
      return turn.kind === 'go' ? { kind: 'delivered', attempts: [attemptMade()] } : turn
    })
    await vi.waitFor(async () => expect((await world.send.getJob(id))?.finishedOn).toBeDefined(), 5000)
    expect(await world.redis.lrange(keys.lane('o-middle'), '0', '-1')).toEqual([later.id])
  })

  it('keeps the mark of an earlier run when this run was never admitted', async () => {
    const { id } = await world.outbox().send(text('o-mark'))
    await world.redis.hset(keys.sendJob(id), 'sending', String(Date.now()))
    await world.consumer(() => Promise.resolve({ ...retry(60_000), counts: false }))
    await vi.waitFor(async () => expect(await (await world.send.getJob(id))?.getState()).toBe('delayed'), 5000)
    expect(await world.redis.hget(keys.sendJob(id), 'sending')).not.toBe('')
  })

  it('counts a try that counts and no other, and remembers every attempt', async () => {
    const outbox = world.outbox()
    const { id } = await outbox.send(text('o-count'))
    let runs = 0
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      runs += 1
      if (runs <= 4) return { ...retry(1), counts: runs % 2 === 0 }
      expect(turn.tries).toBe(2)
      return { kind: 'delivered', attempts: [attemptMade()] }
    })
    await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('delivered'), 5000)
    expect((await outbox.status(id))?.attempts.map(({ outcome }) => outcome)).toEqual([
      'retry',
      'retry',
      'retry',
      'retry',
      'delivered',
    ])
  })

  it('tries again later after a run that threw, and says so without its content', async () => {
    const { id } = await world.outbox().send(text('o-bug'))
    const { problems } = await world.consumer(() => Promise.reject(new Error('a bug')))
    await vi.waitFor(() => expect(problems).toMatchObject([{ what: 'a run failed', error: 'a bug', id }]), 5000)
    await vi.waitFor(async () => expect(await (await world.send.getJob(id))?.getState()).toBe('delayed'), 5000)
  })

  it('sends a message once whose attempts nobody can store', async () => {
    const [id = '', next = ''] = await world.accept([text('o-odd'), text('o-odd', 'next')])
    const sent: string[] = []
    const { problems } = await world.consumer(async (run) => {
      await delivering(sent)(run)
      const ms = run.id === id ? (1n as never) : 1
      return { kind: 'delivered', attempts: [attemptMade({ ms })] }
    })
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(2), WAIT_MS)
    expect(sent).toEqual([id, next])
    expect(problems).toMatchObject([{ what: 'a run failed', id }])
  })

  it('loses no message that was fetched with a settlement which nobody could be told of', async () => {
    const ids = await world.accept(
      [1, 2, 3, 4, 5].map((n) => ({ ...text(`o-${n}`), ifUnsure: 'dead-letter' as const })),
    )
    const sent: string[] = []
    const onSettled = (): void => {
      throw new Error('a bug')
    }
    const { dead, problems } = await world.consumer(delivering(sent), {
      onSettled,
      concurrency: 1,
      stalledAfterMs: 60_000,
    })
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(5), WAIT_MS)
    expect([sent, dead]).toEqual([ids, []])
    expect(problems).toContainEqual({ what: 'worker', error: 'a bug' })
  })

  it('leaves a message alone whose lock it no longer holds', async () => {
    const { id } = await world.outbox().send(text('o-lost'))
    const turns: Turn[] = []
    await world.consumer(async (run) => {
      await world.redis.set(keys.sendLock(id), 'another worker', 'PX', 60_000)
      const turn = await run.admit(memberOf(run))
      turns.push(turn)
      return turn.kind === 'go' ? { kind: 'delivered', attempts: [attemptMade()] } : turn
    }, ASKING)
    await vi.waitFor(() => expect(turns).toEqual([{ kind: 'lost' }]), 5000)
    expect(await world.redis.hget(keys.sendJob(id), 'sending')).toBeNull()
  })

  it('aborts the call of a message whose lock is lost', async () => {
    const { id } = await world.outbox().send(text('o-abort'))
    const aborted = Promise.withResolvers<string>()
    await world.consumer(
      async (run) => {
        await run.admit(memberOf(run))
        await world.redis.set(keys.sendLock(id), 'another worker', 'PX', 60_000)
        run.signal.addEventListener('abort', () => aborted.resolve(run.id))
        await aborted.promise
        return retry(10)
      },
      { stalledAfterMs: 1000 },
    )
    expect(await aborted.promise).toBe(id)
  })

  it('leaves a job alone that somebody removed under it', async () => {
    const { id } = await world.outbox().send(text('o-gone'))
    const { consumer, problems } = await world.consumer(async () => {
      await world.redis.del(keys.sendJob(id), keys.sendLock(id))
      return retry(10)
    })
    await vi.waitFor(async () => expect(await world.redis.exists(keys.sendJob(id))).toBe(0), 5000)
    await consumer.close(1000)
    expect(problems).toEqual([])
    expect(await world.redis.exists(keys.sendJob(id))).toBe(0)
  })

  it('ends when told to, with what is in flight, and fetches nothing more', async () => {
    const outbox = world.outbox()
    const gate = Promise.withResolvers<void>()
    const sent: string[] = []
    const { consumer } = await world.consumer(
      async (run) => {
        await gate.promise
        return delivering(sent)(run)
      },
      { concurrency: 4 },
    )
    await outbox.sendMany(Array.from({ length: 20 }, (_, n) => text(`o-end${n}`)))
    await vi.waitFor(async () => expect(await world.send.getActiveCount()).toBe(4), 5000)
    const closed = consumer.close(5000)
    gate.resolve()
    expect(await closed).toBe(true)
    expect(sent).toHaveLength(4)
    expect(await world.send.getJobCounts()).toMatchObject({ waiting: 16, active: 0, completed: 4 })
  })
})
