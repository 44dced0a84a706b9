import { appPrefix, CALLBACK_QUEUE } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
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
