// Other programs may use BullMQ on an app's queue as it is: they add jobs with options that ours never have, listen to
// QueueEvents, or take over with a plain Worker what the outbox has left. BullMQ's own bookkeeping is then as if there
// were no outbox.
import { FlowProducer, type Job, QueueEvents, Worker } from 'bullmq'
import { afterEach, expect, it, vi } from 'vitest'
import { appPrefix, SEND_QUEUE } from '../../src/redis/keys.ts'
import { createHand } from '../support/hand.ts'
import { dataOf } from '../support/queue-sides.ts'
import { APP, DELIVERED, delivering, keys, retry, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })
let closing: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  await Promise.all(closing.map((one) => one.close()))
  closing = []
})

const prefix = appPrefix(APP)
const add = (id: string, opts: object = {}) => world.send.add('text', dataOf(id), { jobId: id, ...opts })
const RETURNED = { attempts: [expect.objectContaining({ outcome: 'delivered' })] }

async function consume(sent: string[], concurrency = 32): Promise<void> {
  const { consumer, problems } = await world.consumer(delivering(sent), { concurrency })
  closing.push({ close: () => consumer.close(2000) })
  closing.push({ close: async () => expect(problems).toEqual([]) })
}

const until = (check: () => Promise<void> | void) => vi.waitFor(check, WAIT_MS)
const stateOf = (id: string) => world.send.getJobState(id)

it('delivers jobs with priorities in their order, one after the other', async () => {
  for (const priority of [3, 1, 2]) await add(`m-p${priority}`, { priority })
  await add('m-p0')
  const sent: string[] = []
  await consume(sent, 1)
  await until(() => expect(sent).toEqual(['m-p0', 'm-p1', 'm-p2', 'm-p3']))
  await until(async () =>
    expect(await world.send.getJobCounts()).toMatchObject({ completed: 4, prioritized: 0, active: 0 }),
  )
})

it('completes the parent of a delivered child, with what the child returned', async () => {
  const parents: unknown[] = []
  const parentQueue = new Worker('parents', async (job: Job) => void parents.push(await job.getChildrenValues()), {
    connection: world.redis,
    prefix,
  })
  const flow = new FlowProducer({ connection: world.redis, prefix })
  closing.push(parentQueue, flow)
  await flow.add({
    name: 'parent',
    queueName: 'parents',
    children: ['m-one', 'm-two'].map((jobId) => ({
      name: 'text',
      queueName: SEND_QUEUE,
      data: dataOf(jobId),
      opts: { jobId },
    })),
  })
  await consume([])
  await until(() => expect(parents).toEqual([{ [keys.sendJob('m-one')]: RETURNED, [keys.sendJob('m-two')]: RETURNED }]))
  expect(await stateOf('m-one')).toBe('completed')
})

it('completes the parent of a child whose run could not finish after WeChat had taken it', async () => {
  const flow = new FlowProducer({ connection: world.redis, prefix })
  closing.push(flow)
  const child = { name: 'text', queueName: SEND_QUEUE, data: dataOf('m-child'), opts: { jobId: 'm-child' } }
  const { job: parent } = await flow.add({ name: 'parent', queueName: 'parents', children: [child] })
  const hand = createHand(world)
  const held = await hand.fetch()
  await held.run.admit({ touser: 'person-m-child' })
  // The settlement is in Redis; BullMQ's completion, which follows it, does not come.
  await held.settle(DELIVERED)
  expect(await stateOf('m-child')).toBe('active')
  await held.die()
  const sent: string[] = []
  await consume(sent)
  await until(async () => expect(await parent.getState()).toBe('waiting'))
  expect(sent).toEqual([])
  expect((await world.send.getJob('m-child'))?.returnvalue).toEqual(RETURNED)
})

it.each([
  ['without another try', {}],
  ['with tries of its own', { attempts: 3 }],
  ['with tries and a backoff of its own', { attempts: 3, backoff: 10 }],
])('completes the parent later where BullMQ refuses at first, of a child %s', async (_what, opts) => {
  const flow = new FlowProducer({ connection: world.redis, prefix })
  closing.push(flow)
  const child = { name: 'text', queueName: SEND_QUEUE, data: dataOf('m-child'), opts: { jobId: 'm-child', ...opts } }
  const { job: parent } = await flow.add({ name: 'parent', queueName: 'parents', children: [child] })
  // BullMQ completes nothing that waits for children of its own.
  await world.redis.sadd(`${keys.sendJob('m-child')}:dependencies`, 'somebody')
  const sent: string[] = []
  const { consumer, problems } = await world.consumer(delivering(sent), { stalledAfterMs: 1000 })
  closing.push({ close: () => consumer.close(2000) })
  await until(() =>
    expect(problems).toContainEqual(expect.objectContaining({ error: expect.stringMatching(/m-child/) })),
  )
  expect(await parent.getState()).toBe('waiting-children')
  // As it was left: no try of BullMQ's, nothing of its error in the history of the message.
  expect(await stateOf('m-child')).toBe('active')
  expect(await world.redis.hmget(keys.sendJob('m-child'), 'stacktrace', 'failedReason')).toEqual([null, null])
  await world.redis.del(`${keys.sendJob('m-child')}:dependencies`)
  await until(async () => expect(await parent.getState()).toBe('waiting'))
  expect(await stateOf('m-child')).toBe('completed')
  expect(sent).toEqual(['m-child'])
})

it('lets go of a deduplication id when its job is delivered', async () => {
  const deduplication = { id: 'once' }
  await add('m-first', { deduplication })
  expect((await add('m-again', { deduplication })).id).toBe('m-first')
  expect(await world.send.getDeduplicationJobId('once')).toBe('m-first')
  const sent: string[] = []
  await consume(sent)
  await until(async () => expect(await stateOf('m-first')).toBe('completed'))
  expect(await world.send.getDeduplicationJobId('once')).toBeNull()
  await add('m-next', { deduplication })
  await until(() => expect(sent).toEqual(['m-first', 'm-next']))
})

it('keeps to a job’s own word on whether it is kept', async () => {
  await add('m-gone', { removeOnComplete: true })
  await add('m-kept', { removeOnComplete: false })
  const sent: string[] = []
  await consume(sent)
  await until(async () =>
    expect(await world.send.getJobCounts()).toMatchObject({ active: 0, waiting: 0, completed: 1 }),
  )
  expect(sent.toSorted()).toEqual(['m-gone', 'm-kept'])
  expect(await world.redis.exists(keys.sendJob('m-gone'), keys.sendLock('m-gone'))).toBe(0)
  expect(await stateOf('m-kept')).toBe('completed')
})

it('tells QueueEvents of each delivery, also of one that an earlier run had made', async () => {
  const events = new QueueEvents(SEND_QUEUE, { connection: world.redis, prefix, lastEventId: '0' } as never)
  closing.push(events)
  const heard: unknown[] = []
  const errors: Error[] = []
  events.on('completed', ({ jobId, returnvalue }) => heard.push([jobId, returnvalue]))
  events.on('error', (error) => errors.push(error))
  const drained = new Promise<void>((resolve) => events.once('drained', () => resolve()))
  const [first = ''] = await world.accept([text('a')])
  const hand = createHand(world)
  const held = await hand.fetch()
  await held.run.admit({ touser: 'a' })
  // WeChat took it, and the run that heard so has lost its message.
  await world.redis.hset(keys.sendJob(first), { settled: 'delivered', sending: '' })
  await held.settle({ kind: 'settled' })
  const [second = ''] = await world.accept([text('b')])
  await consume([])
  await until(() =>
    expect(heard).toEqual([
      [first, null],
      [second, RETURNED],
    ]),
  )
  await drained
  expect(errors).toEqual([])
})

it('leaves a plain Worker what waits, what is delayed, and what was tried before', async () => {
  const ids = await world.accept([
    text('a'),
    text('b'),
    { ...text('c'), sendAt: new Date(Date.now() + 60_000).toISOString() },
  ])
  const hand = createHand(world)
  const held = await hand.fetch()
  await held.run.admit({ touser: 'a' })
  await held.settle(retry(1))
  expect(await world.send.getJobCounts()).toMatchObject({ waiting: 1, delayed: 2 })
  const ran: Record<string, unknown> = {}
  const plain = new Worker(
    SEND_QUEUE,
    async (job) => void (ran[String(job.id)] = [job.attemptsMade, job.data.touser]),
    {
      connection: world.redis,
      prefix,
    },
  )
  closing.push(plain)
  await world.send.getJob(ids[2] ?? '').then((job) => job?.promote())
  await until(async () => expect(await world.send.getJobCounts()).toMatchObject({ completed: 3, delayed: 0 }))
  expect(ran).toEqual({ [ids[0] ?? '']: [1, 'a'], [ids[1] ?? '']: [0, 'b'], [ids[2] ?? '']: [0, 'c'] })
})
