// Our scripts and readers know how BullMQ lays its keys out. That is not part of its documented surface, so each thing
// they know is checked here against what real calls leave in a real Redis.
import { readFileSync } from 'node:fs'
import { type Job, Worker, type WorkerOptions } from 'bullmq'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readJobHash } from '../../src/bullmq/job-hash.ts'
import { BULLMQ_VERSION, checkBullmq } from '../../src/bullmq/layout.ts'
import { appPrefix, SEND_QUEUE } from '../../src/redis/keys.ts'
import { APP, keys, sharedWorld } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })
let workers: Worker[] = []
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.close(true)))
  workers = []
})

const key = (name: string): string => keys.sendJobs + name
const add = (jobId: string, options: object = {}) => world.send.add('text', { v: 1 }, { jobId, ...options })

function worker(processor: ((job: Job, token?: string) => Promise<unknown>) | null, options: object = {}): Worker {
  const base: WorkerOptions = { connection: world.redis, prefix: appPrefix(APP) }
  const made = new Worker(SEND_QUEUE, processor ?? undefined, { ...base, ...options })
  made.on('error', () => undefined)
  workers.push(made)
  return made
}

it('runs with the version that is pinned', () => {
  const installed: unknown = JSON.parse(
    readFileSync(new URL('../../node_modules/bullmq/package.json', import.meta.url), 'utf8'),
  )
  const workspace = readFileSync(new URL('../../../../pnpm-workspace.yaml', import.meta.url), 'utf8')
  const pinned = /^ {2}bullmq: (\d+\.\d+\.\d+)$/m.exec(workspace)?.[1]
  expect(pinned).toBe(BULLMQ_VERSION)
  expect(installed).toMatchObject({ version: pinned })
})

it('refuses any other version, in words', () => {
  expect(() => checkBullmq(BULLMQ_VERSION)).not.toThrow()
  for (const version of ['6.7.1', '6.70.0', '5.0.0', '']) {
    expect(() => checkBullmq(version)).toThrow(
      expect.objectContaining({
        name: 'OutboxError',
        code: 'WXO_CONFIG',
        message: expect.stringMatching(
          new RegExp(`^BullMQ ${version} is installed, .*${BULLMQ_VERSION}.*install that`),
        ),
      }),
    )
  }
})

describe('the keys of a queue', () => {
  it('have `wait`, a list that is filled from the left and emptied from the right', async () => {
    await add('m-1')
    await add('m-2')
    await add('m-3')
    expect(await world.redis.type(key('wait'))).toBe('list')
    expect(await world.redis.lrange(key('wait'), '0', '-1')).toEqual(['m-3', 'm-2', 'm-1'])
    const taking = worker(null)
    expect((await taking.getNextJob('token'))?.id).toBe('m-1')
    expect((await taking.getNextJob('token'))?.id).toBe('m-2')
    expect(await world.redis.lrange(key('wait'), '0', '-1')).toEqual(['m-3'])
  })

  it('have `delayed` and `failed`, sorted sets of ids, the latter by the time of the end', async () => {
    await add('m-later', { delay: 60_000 })
    expect(await world.redis.type(key('delayed'))).toBe('zset')
    expect(await world.redis.zrange(key('delayed'), '0', '-1')).toEqual(['m-later'])
    await add('m-bad')
    const job: Job | undefined = await worker(null).getNextJob('token')
    await job?.moveToFailed(new Error('no'), 'token')
    expect(await world.redis.type(key('failed'))).toBe('zset')
    const [id, score] = await world.redis.zrange(key('failed'), '0', '-1', 'WITHSCORES')
    expect([id, score]).toEqual(['m-bad', await world.redis.hget(key('m-bad'), 'finishedOn')])
  })

  it('have a `:lock` beside a job that is being worked on, with its worker’s token', async () => {
    await add('m-1')
    const job: Job | undefined = await worker(null).getNextJob('a token')
    expect(await world.redis.get(keys.sendLock('m-1'))).toBe('a token')
    await job?.moveToCompleted('done', 'a token', false)
    expect(await world.redis.exists(keys.sendLock('m-1'))).toBe(0)
  })

  it('have a `marker` that wakes a worker which waits for work', async () => {
    const done: string[] = []
    const idle = worker(async (job) => void done.push(String(job.id)), { drainDelay: 3600 })
    await add('m-late', { delay: 3_600_000 })
    await vi.waitFor(async () => expect(await world.redis.client('LIST')).toMatch(/cmd=bzpopmin/), 10_000)
    expect(idle.isRunning()).toBe(true)
    // The steps of `wake`, one by one.
    expect(await world.redis.zrem(key('delayed'), 'm-late')).toBe(1)
    await world.redis.rpush(key('wait'), 'm-late')
    await world.redis.hset(key('m-late'), 'delay', '0')
    await world.redis.zadd(key('marker'), '0', '0')
    await vi.waitFor(() => expect(done).toEqual(['m-late']), 10_000)
  })
})

describe('a job’s hash', () => {
  const fields = (id: string) => world.redis.hgetall(key(id))

  it('of a new job has its name, data, options, time and delay', async () => {
    await add('m-1', { delay: 60_000, timestamp: 1_800_000_000_000 })
    const hash = await fields('m-1')
    expect(hash).toMatchObject({ name: 'text', data: '{"v":1}', timestamp: '1800000000000', delay: '60000' })
    expect(JSON.parse(hash['opts'] ?? '')).toMatchObject({ delay: 60_000 })
    expect(readJobHash(hash)).toMatchObject({ data: { v: 1 }, timestamp: 1_800_000_000_000, delayMs: 60_000, tries: 0 })
  })

  it('of a failed job has its tries, its reason, its end and the stack of the error', async () => {
    await add('m-1')
    const job: Job | undefined = await worker(null).getNextJob('token')
    const stack = '{"attempts":[]}'
    await job?.moveToFailed(Object.assign(new Error('45015 x'), { stack }), 'token')
    const hash = await fields('m-1')
    expect(hash).toMatchObject({ atm: '1', failedReason: '45015 x', finishedOn: expect.stringMatching(/^\d{13}$/) })
    expect(JSON.parse(hash['stacktrace'] ?? '')).toEqual([stack])
    expect(readJobHash(hash)).toMatchObject({ tries: 1, failedReason: '45015 x', history: [{ attempts: [] }] })
  })

  it('of a completed job has what its run returned', async () => {
    await add('m-1')
    const job: Job | undefined = await worker(null).getNextJob('token')
    await job?.moveToCompleted({ attempts: [] }, 'token', false)
    const hash = await fields('m-1')
    expect(hash['returnvalue']).toBe('{"attempts":[]}')
    expect(readJobHash(hash)).toMatchObject({ returned: { attempts: [] }, finishedOn: expect.any(Number) })
  })

  it('of a job whose worker died counts that', async () => {
    await add('m-1')
    const died = Promise.withResolvers<string>()
    const dying = worker(
      async (job) => {
        died.resolve(String(job.id))
        return new Promise(() => undefined)
      },
      { lockDuration: 100, skipLockRenewal: true, skipStalledCheck: true },
    )
    await died.promise
    await dying.close(true)
    worker(() => new Promise(() => undefined), { stalledInterval: 100, maxStalledCount: 100 })
    await vi.waitFor(async () => expect(readJobHash(await fields('m-1'))?.stalledCount).toBe(1), 10_000)
  })

  it('keeps marks of ours through a delay, and goes with the job', async () => {
    await add('m-1')
    await world.redis.hset(key('m-1'), 'sending', '5')
    const job: Job | undefined = await worker(null).getNextJob('token')
    await job?.moveToDelayed(Date.now() + 60_000, 'token')
    expect(await fields('m-1')).toMatchObject({ sending: '5' })
    await job?.remove()
    expect(await fields('m-1')).toEqual({})
  })
})
