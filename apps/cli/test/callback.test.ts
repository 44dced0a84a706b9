import { appPrefix, CALLBACK_QUEUE } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())
const key = (name: string): string => `${appPrefix(APP)}:${CALLBACK_QUEUE}:${name}`
const ago = (ms: number): number => Date.now() - ms
const HOUR_MS = 3_600_000

beforeEach(async () => {
  await world.store.redis.flushall()
  await world.store.redis.sadd('wxo:apps', APP)
  await world.store.redis.zadd(key('completed'), ago(3 * HOUR_MS), 'c-1-dead', ago(HOUR_MS), 'c-2-dead')
  await world.store.redis.zadd(key('failed'), ago(HOUR_MS), 'c-3-dead')
  await world.store.redis.lpush(key('wait'), 'c-4-dead')
})

interface Replayed {
  readonly told: number
  readonly givenUp: number
}

it('tells again what was told or given up in a time', async () => {
  const dry = await world.cli(['callback', 'replay', '--since', '2h', '--dry-run'])
  expect(dry).toMatchObject({ code: 0, stdout: `2 events (1 told, 1 given up) of ${APP}. Nothing was done.\n` })
  expect(await world.store.redis.llen(key('wait'))).toBe(1)
  const failed = await world.cli(['callback', 'replay', '--app', APP, '--since', '1d', '--failed', '--yes', '--json'])
  expect(documentOf<Replayed>(failed)).toEqual({ appid: APP, dryRun: false, told: 0, givenUp: 1 })
  const until = await world.cli(['callback', 'replay', '--since', '1d', '--until', '2h', '--yes'])
  expect(until.stdout).toBe(`1 event (1 told, 0 given up) of ${APP} will be told again.\n`)
  expect(await world.store.redis.lrange(key('wait'), 0, -1)).toEqual(['c-1-dead', 'c-3-dead', 'c-4-dead'])
})

it('asks before, and does nothing without a yes', async () => {
  const args = ['callback', 'replay', '--since', '1d']
  expect(await world.cli(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') })
  expect(await world.cli(args, { interactive: true, input: 'n\n' })).toMatchObject({ code: 1 })
  expect(await world.store.redis.llen(key('wait'))).toBe(1)
  expect(await world.cli(args, { interactive: true, input: 'y\n' })).toMatchObject({ code: 0 })
  expect(await world.store.redis.llen(key('wait'))).toBe(4)
})

it.each([
  ['no time', ['--yes'], 'since when?'],
  ['no real time', ['--yes', '--since', 'soon'], '--since must be a duration'],
])('refuses a replay with %s', async (_, options, stderr) => {
  expect(await world.cli(['callback', 'replay', ...options])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(stderr),
  })
})

it('shows a receiver that is held, and lets it be tried again', async () => {
  await world.store.redis.hset(key('hold'), { kind: 'gone', reason: 'status 410', since: ago(HOUR_MS), until: '' })
  const status = await world.cli(['status'])
  expect(status.stdout).toContain(
    `The receiver of callbacks of ${APP} has failed for 1h (status 410) and is not tried any more; 1 event to be told. \`wxo callback resume ${APP}\` tries it at once.`,
  )
  expect(status.stdout).toMatch(/callbacks +1 to be told, and the receiver is held, 1 given up\n/)
  expect((await world.cli(['callback', 'resume', APP])).stdout).toBe(`${APP} resumed\n`)
  expect((await world.cli(['callback', 'resume'])).stdout).toBe(`${APP} was not held\n`)
  expect((await world.cli(['status'])).stdout).toMatch(/callbacks +1 to be told, 1 given up\n/)
})

describe('callback ls', () => {
  interface Listed {
    readonly id: string
    readonly state: string
  }
  interface Document {
    readonly items: readonly Listed[]
    readonly more: boolean
  }
  const OF = 'm-4fZ8hQ2sVx0LmN6tRw1B'
  const event = async (id: string, fields: Record<string, string | number> = {}): Promise<void> => {
    const data = JSON.stringify({ id: OF, appid: APP, touser: 'o-private' })
    await world.store.redis.hset(key(id), { name: 'message.dead', data, timestamp: ago(4 * HOUR_MS), ...fields })
  }
  const list = async (...args: string[]): Promise<Document> =>
    documentOf<Document>(await world.cli(['callback', 'ls', '--json', ...args]))
  const idsOf = ({ items }: Document): string[] => items.map(({ id }) => id)

  it('lists what is to be told and what was given up, and nothing that was told', async () => {
    expect((await world.cli(['callback', 'ls'])).stdout).toBe(`${APP} has no callbacks that were not taken.\n`)
    const dueAt = Date.now() + HOUR_MS
    await event('c-2-dead')
    await event('c-3-dead', { atm: 9, failedReason: 'status 500' })
    await event('c-4-dead')
    await event('c-5-dead', { atm: 2, failedReason: 'timeout' })
    await event('c-6-suspended', { name: 'app.suspended', data: JSON.stringify({ appid: APP }) })
    await world.store.redis.zadd(key('delayed'), (dueAt - 1) * 4096, 'c-6-suspended', dueAt * 4096 + 1, 'c-5-dead')
    const failedAt = Number(await world.store.redis.zscore(key('failed'), 'c-3-dead'))
    const of = {
      type: 'message.dead',
      messageId: OF,
      at: expect.any(Number),
      error: null,
      dueAt: null,
      givenUpAt: null,
    }
    expect(await list()).toEqual({
      appid: APP,
      items: [
        { ...of, id: 'c-5-dead', state: 'delayed', attempts: 2, error: 'timeout', dueAt },
        {
          ...of,
          id: 'c-6-suspended',
          type: 'app.suspended',
          messageId: null,
          state: 'delayed',
          attempts: 0,
          dueAt: dueAt - 1,
        },
        { ...of, id: 'c-4-dead', state: 'waiting', attempts: 0 },
        { ...of, id: 'c-3-dead', state: 'given-up', attempts: 9, error: 'status 500', givenUpAt: failedAt },
      ],
      more: false,
      hold: null,
    })
    expect(idsOf(await list('--failed'))).toEqual(['c-3-dead'])
  })

  it('prints a table for people, without whom it is about, and says that the receiver is held', async () => {
    await event('c-3-dead', { atm: 9, failedReason: 'status 500' })
    await event('c-4-dead', { name: 'message.delivered' })
    await world.store.redis.hset(key('hold'), { kind: 'failing', reason: 'status 500', since: ago(HOUR_MS), until: 1 })
    const { code, stdout } = await world.cli(['callback', 'ls'])
    expect(code).toBe(0)
    const time = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ'
    expect(stdout).toMatch(/^MESSAGE +TYPE +SINCE +TRIES +DUE +ERROR\n/)
    expect(stdout).toMatch(new RegExp(`${OF} +message.delivered +${time} +0 +now +–\n`))
    expect(stdout).toMatch(new RegExp(`${OF} +message.dead +${time} +9 +given up 1h ago +status 500\n`))
    expect(stdout).toContain(
      `\nThe receiver has failed for 1h (status 500) and is tried now and then: wxo callback resume ${APP}\n`,
    )
    expect(stdout).toContain(`\n2 callbacks of ${APP}.\n`)
    expect(stdout).not.toContain('o-private')
  })

  it('shows an error that another program has written without addresses, and one that is not too long', async () => {
    await event('c-3-dead', { failedReason: `at https://hooks.example/?key=x \u001b[2J ${'y'.repeat(5000)}` })
    const [item] = (await list('--failed')).items as unknown as readonly { error: string }[]
    expect(item?.error).toMatch(/^at \*\*\* {1,2}\[2J y{200,300}$/)
  })

  it('goes through all pages, and says when there is more', async () => {
    const wait = Array.from({ length: 250 }, (_, n) => `c-wait-${n}`)
    const failed = Array.from({ length: 250 }, (_, n) => `c-failed-${n}`)
    for (const id of [...wait, ...failed]) await event(id)
    await world.store.redis.del(key('wait'), key('failed'))
    await world.store.redis.rpush(key('wait'), ...wait)
    await world.store.redis.zadd(key('failed'), ...failed.flatMap((id, n) => [-n, id]))
    expect(await list('--all')).toMatchObject({ more: false })
    expect(idsOf(await list('--all'))).toEqual([...wait, ...failed])
    expect(await list()).toMatchObject({ more: true, items: { length: 50 } })
    expect(idsOf(await list('--limit', '251'))).toEqual([...wait, 'c-failed-0'])
    expect((await world.cli(['callback', 'ls'])).stdout).toContain('there are more: --limit N or --all.')
    expect((await world.cli(['callback', 'ls', '--limit', '500'])).stdout).toContain(`\n500 callbacks of ${APP}.\n`)
  })
})
