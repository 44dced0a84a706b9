import { hostname, userInfo } from 'node:os'
import { PassThrough } from 'node:stream'
import { createTask, listTasks, pauseApp, readTask, type Task } from '@wechat-outbox/outbox/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { followTask, progressLine } from '../src/commands/follow.ts'
import type { Session } from '../src/session.ts'
import { ANNA, BEN, idsOf, letDie, three } from './letters.ts'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

const die = (messages: Parameters<typeof letDie>[1]): Promise<string[]> => letDie(world, messages)
const list = async (...args: string[]) => documentOf(await world.cli(['dead', 'ls', '--json', ...args]))
const failedCount = (): Promise<number> =>
  world.store.redis.zcard(world.store.backend(APP, 'dead-letter').toKey('failed'))
const statusOf = async (id: string) => (await world.outbox.status(id))?.status

interface TaskDocument {
  readonly appid: string
  readonly task: Task
  readonly items: readonly Task[]
}
const taskIn = async (args: readonly string[], input?: string): Promise<Task> =>
  documentOf<TaskDocument>(await world.cli([...args, '--json'], input === undefined ? {} : { input })).task

describe('dead replay', () => {
  it('sends one again as a new message, and counts it as gone when asked twice', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    const replayed = `${id.replace('d-', 'm-')}-1`
    await world.consume()
    expect(await world.cli(['dead', 'replay', id])).toMatchObject({
      code: 0,
      stdout: `${id} → ${replayed}\n1 of 1 dead letter replayed.\n`,
      stderr: '',
    })
    await vi.waitFor(async () => expect(await statusOf(replayed)).toBe('delivered'), { timeout: 20_000 })
    const again = await world.cli(['dead', 'replay', id, '--json'])
    expect(again.code).toBe(1)
    expect(documentOf<TaskDocument>(again).task).toMatchObject({ status: 'done', total: 1, done: 0, skipped: 1 })
  })

  it('replays all that its filters mean, in the order of acceptance, and names who asked', async () => {
    const many = Array.from({ length: 250 }, (_, index) => [`o${index % 10}`, 'die 45015'] as const)
    const ids = await die([...many, [BEN, 'die 40003']])
    const kept = ids.filter((_, n) => n === 250 || n % 10 === 3)
    await world.consume()
    const args = ['dead', 'replay', '--errcode', '45015', '--errcode', '45047', '--not-to', 'o3', '--yes']
    const task = await taskIn(args)
    expect(task).toMatchObject({
      action: 'replay',
      filter: { errcode: ['45015', '45047'], notTouser: ['o3'] },
      status: 'done',
      total: 225,
      done: 225,
      by: `${userInfo().username}@${hostname()}`,
    })
    expect(idsOf(await list('--all'))).toEqual(kept.toSorted())
    await vi.waitFor(async () => {
      for (const id of ids.slice(0, 3)) expect(await statusOf(`${id.replace('d-', 'm-')}-1`)).toBe('delivered')
    }, 20_000)
  })

  it('takes ids from standard input, and as many as no command line holds', async () => {
    const ids = await die(Array.from({ length: 40 }, (_, n) => [`o${n}`, 'die 45015'] as const))
    await world.consume()
    const others = Array.from({ length: 8000 }, (_, n) => `d-none${n}`)
    const task = await taskIn(['dead', 'replay', '-'], `${[...ids, ...others].join('\n')}\n`)
    expect(task).toMatchObject({ filter: null, total: 8040, done: 40, skipped: 8000 })
    expect(await world.cli(['dead', 'replay', '-'], { input: 'm-1' })).toMatchObject({ code: 2 })
    expect(await world.cli(['dead', 'replay', '-'], { input: ' \n' })).toMatchObject({ code: 2 })
    const tooMany = Array.from({ length: 10_001 }, (_, n) => `d-${n}`).join(' ')
    expect(await world.cli(['dead', 'replay', '-'], { input: tooMany })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('at most 10000'),
    })
  })

  it('changes nothing in a dry run and nothing without a yes', async () => {
    await die(three)
    const dry = await world.cli(['dead', 'replay', '--all', '--dry-run'])
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toMatch(/\n2 +45015 +reply-window-closed/)
    expect(dry.stdout).toContain(`Would replay 3 dead letters of ${APP}; nothing was done.`)
    const document = documentOf(await world.cli(['dead', 'replay', '--all', '--limit', '2', '--dry-run', '--json']))
    expect(document).toMatchObject({ dryRun: true, action: 'replay', total: 2 })
    const unasked = await world.cli(['dead', 'replay', '--all'])
    expect(unasked).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('add --yes') })
    expect(await failedCount()).toBe(3)
    expect(documentOf<TaskDocument>(await world.cli(['task', 'ls', '--json'])).items).toEqual([])
  })

  it('takes only the first so many', async () => {
    const ids = await die(three)
    await world.consume()
    expect(await taskIn(['dead', 'replay', '--all', '--limit', '2', '--yes'])).toMatchObject({ total: 2, done: 2 })
    expect(idsOf(await list())).toEqual([ids[2]])
  })

  it('fails where a letter’s message cannot be read', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    await world.consume()
    const key = world.store.backend(APP, 'dead-letter').toKey(id)
    const letter = JSON.parse((await world.store.redis.hget(key, 'data')) ?? '')
    await world.store.redis.hset(key, 'data', JSON.stringify({ ...letter, message: { unreadable: 'x' } }))
    expect(await world.cli(['dead', 'replay', id])).toMatchObject({
      code: 1,
      stdout: '0 of 1 dead letter replayed, 1 failed, and dead letters as before.\n',
    })
    expect((await world.cli(['dead', 'show', id])).stdout).toContain('content (unreadable, cannot be replayed)')
  })

  it('says that no worker serves the app, and the task waits for one', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    await world.store.redis.del(`{wxo:${APP}}:served`)
    const result = await world.cli(['dead', 'replay', id])
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(`no worker serves ${APP} now`) })
    const [task = ''] = /r-\w+/.exec(result.stderr) ?? []
    await world.consume()
    await vi.waitFor(async () => expect((await readTask(world.store, APP, task))?.status).toBe('done'), 20_000)
  })
})

describe('a task', () => {
  it('is started without waiting for it, shown, cancelled and taken back', async () => {
    await die(Array.from({ length: 30 }, (_, n) => [`o${n % 3}`, 'die 45015'] as const))
    await pauseApp(world.store, APP, { why: 'a test' })
    await world.consume()
    const started = await world.cli(['dead', 'replay', '--all', '--yes', '--detach'])
    expect(started.code).toBe(0)
    const [id = ''] = /^r-\w+/.exec(started.stdout) ?? []
    const shown = () => world.cli(['task', 'show', id])
    await vi.waitFor(async () => expect((await shown()).stdout).toContain('30 of 30 dead letters replayed.'), 20_000)
    const { stdout } = await shown()
    for (const part of [id, 'done', 'replay', `${userInfo().username}@${hostname()}`, '{}'])
      expect(stdout).toContain(part)
    expect((await world.cli(['task', 'ls'])).stdout).toMatch(
      /^ID +STATUS +ACTION +STARTED +BY +PROGRESS\nr-\w+ +done +replay/,
    )
    expect(await world.cli(['task', 'cancel', id])).toMatchObject({ code: 0, stderr: `${id} had ended before\n` })
    expect(await world.cli(['task', 'cancel', id, '--take-back'])).toMatchObject({
      code: 0,
      stdout: '30 of 30 dead letters replayed, 30 taken back, cancelled.\n',
    })
    expect(await failedCount()).toBe(30)
    expect(await world.cli(['task', 'show', 'r-none'])).toMatchObject({ code: 1 })
    expect(await world.cli(['task', 'cancel', 'r-none'])).toMatchObject({ code: 1 })
  })

  it('keeps to its rate, and is one of eight', async () => {
    await die(three)
    await world.store.redis.del(`{wxo:${APP}}:served`)
    for (let n = 0; n < 8; n += 1) await createTask(world.store, APP, { action: 'discard', ids: ['d-1'], by: 'test' })
    expect(await world.cli(['dead', 'replay', '--all', '--yes', '--per-second', '5'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('8 tasks that run already'),
    })
    await world.consume()
    await vi.waitFor(
      async () => expect((await listTasks(world.store, APP)).every(({ status }) => status === 'done')).toBe(true),
      20_000,
    )
    expect(await taskIn(['dead', 'replay', '--all', '--yes', '--per-second', '5'])).toMatchObject({
      perSecond: 5,
      done: 3,
    })
  })
})

it('tells that a task goes on when Redis is lost while it is watched', async () => {
  const watching = world.cli(['dead', 'replay', 'd-none', '--app', APP])
  await vi.waitFor(async () => expect(await listTasks(world.store, APP)).toHaveLength(1), 20_000)
  // The answer to its start may be on its way yet: the second look at the task from now on belongs to the watching.
  const looks = async (): Promise<number> =>
    Number(/cmdstat_hgetall:calls=(\d+)/.exec(await world.store.redis.info('commandstats'))?.[1])
  const before = await looks()
  await vi.waitFor(async () => expect(await looks()).toBeGreaterThan(before + 1), 20_000)
  await world.redis.kill9()
  const { code, stderr } = await watching
  expect(code).toBe(1)
  expect(stderr).toMatch(/^r-\w+ goes on: wxo task show r-\w+ --app \w+\nwxo: Redis is not available/)
})

describe('dead discard', () => {
  it('removes what is chosen for good, and the messages say so', async () => {
    const [late, , ben] = (await die(three)) as [string, string, string]
    await world.consume()
    expect((await world.cli(['dead', 'discard', late])).code).toBe(2)
    expect(await world.cli(['dead', 'discard', '--to', ANNA, '--dry-run'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Would discard 2'),
    })
    const result = await world.cli(['dead', 'discard', '--to', ANNA, '--yes'])
    expect(result).toMatchObject({ code: 0, stdout: '2 of 2 dead letters discarded.\n' })
    expect(idsOf(await list())).toEqual([ben])
    expect(await statusOf(late.replace('d-', 'm-'))).toBe('discarded')
  })
})

describe('a task that stands still', () => {
  const stillMs = { unserved: 0, served: 0 }
  const session = (): Session =>
    ({ store: () => Promise.resolve(world.store), output: { note() {} } }) as unknown as Session
  const pauseReplays = () =>
    world.store.redis.hset(world.store.backend(APP, 'dead-letter').toKey('meta'), 'paused', '1')
  const discardAll = async (): Promise<Task> => {
    const task = await createTask(world.store, APP, { action: 'discard', filter: {}, by: 'test' })
    if (task === null) throw new Error('too many tasks')
    return task
  }

  it('is explained to a person, who goes on watching, and shown as a bar once it moves', async () => {
    await die(three)
    await world.store.redis.del(`{wxo:${APP}}:served`)
    const output = new PassThrough()
    let shown = ''
    const told = Promise.withResolvers<void>()
    output.setEncoding('utf8').on('data', (text: string) => {
      shown += text
      if (text.includes('Ctrl-C')) told.resolve()
    })
    const terminal = { input: new PassThrough(), output, interactive: true }
    const end = followTask({ session: session(), terminal, appid: APP, stillMs }, await discardAll())
    await told.promise
    await world.consume()
    expect(await end).toMatchObject({ status: 'done', done: 3 })
    expect(shown).toMatch(/^r-\w+ started\.\n/)
    expect(shown.match(/no worker serves \w+ now; the task waits for one\. Ctrl-C asks/g)).toHaveLength(1)
  })

  it('ends a script that watches it, which hears why', async () => {
    await die(three)
    await pauseReplays()
    await world.consume()
    const terminal = { input: new PassThrough(), output: new PassThrough(), interactive: false }
    const watching = { session: session(), terminal, appid: APP, stillMs }
    await expect(followTask(watching, await discardAll())).rejects.toThrow(
      /^nothing moves, because the queue dead-letter of \w+ was paused with BullMQ\. r-\w+ goes on: wxo task show r-/,
    )
    expect(await listTasks(world.store, APP)).toMatchObject([{ status: 'running' }])
  })

  it.each([
    [{ total: null }, 'finding the dead letters.'],
    [{ total: 30, done: 11, skipped: 1 }, '[########............]  40%  11 of 30 dead letters discarded, 1 skipped: '],
    [{ total: 3, done: 3 }, '[####################] 100%  3 of 3 dead letters discarded.'],
    [{ total: 0 }, '[####################] 100%  0 of 0 dead letters discarded.'],
  ])('that is at %j is one line', (at, line) => {
    const task = { action: 'discard', status: 'running', done: 0, skipped: 0, failed: 0, takenBack: 0, ...at } as Task
    expect(progressLine(task)).toContain(line)
  })
})

describe('Ctrl-C on a terminal', () => {
  /** The command as if it were typed: `answer` is what comes after the interrupt. */
  async function interrupted(answer: string): Promise<{ asked: string; end: Promise<Task> }> {
    await die(three)
    await world.store.redis.hset(world.store.backend(APP, 'dead-letter').toKey('meta'), 'paused', '1')
    await world.consume()
    const task = await createTask(world.store, APP, { action: 'replay', filter: {}, by: 'test' })
    if (task === null) throw new Error('too many tasks')
    const input = new PassThrough()
    const output = new PassThrough()
    let asked = ''
    const question = Promise.withResolvers<void>()
    output.setEncoding('utf8').on('data', (text: string) => {
      asked += text
      if (asked.includes('dead letter')) process.emit('SIGINT')
      if (asked.includes('[c/L]')) question.resolve()
    })
    const session = { store: () => Promise.resolve(world.store) } as Session
    const end = followTask({ session, terminal: { input, output, interactive: true }, appid: APP }, task)
    end.catch(() => undefined)
    await question.promise
    input.write(`${answer}\n`)
    return { asked, end }
  }

  it('asks, and cancels the task', async () => {
    const { asked, end } = await interrupted('c')
    expect(asked).toMatch(/cancel r-\w+\? It goes on if you only leave it\. \[c\/L\]/)
    expect(await end).toMatchObject({ status: 'cancelled', done: 0, cancelledBy: expect.stringMatching(/@/) })
    expect(await failedCount()).toBe(3)
  })

  it('asks, and leaves the task to the workers', async () => {
    const { end } = await interrupted('')
    await expect(end).rejects.toThrow(/r-\w+ goes on: wxo task show/)
    expect(await listTasks(world.store, APP)).toMatchObject([{ status: 'running' }])
  })
})
