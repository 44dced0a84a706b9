// A person is erased from the command line: what there is, a question, and what is left.
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { ANNA, letDie, three } from './letters.ts'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
beforeAll(async () => {
  world = await startWorld()
  await letDie(world, three)
  await world.outbox.userActed({ touser: ANNA, action: 'message' })
  await world.outbox.send({ touser: ANNA, msgtype: 'text', text: { content: 'waits' }, idempotencyKey: 'k' })
})
afterAll(() => world?.close())

const left = () => world.store.redis.keys(`*${ANNA}*`)

it('counts in a dry run, asks, erases, and finds nothing afterwards', async () => {
  const dry = documentOf(await world.cli(['forget', ANNA, '--dry-run', '--json']))
  expect(dry).toMatchObject({
    appid: APP,
    touser: ANNA,
    dryRun: true,
    waiting: 1,
    deadLetters: 2,
    idempotencyKeys: 1,
    windows: 1,
  })
  expect((await world.cli(['forget', ANNA, '--dry-run'])).stdout).toMatch(
    /is stored in .*\n +waiting messages +1\n[\s\S]*Nothing was done\.\n$/,
  )
  const kept = await left()
  expect(await world.cli(['forget', ANNA], { interactive: true, input: 'n\n' })).toMatchObject({ code: 1 })
  expect((await left()).toSorted()).toEqual(kept.toSorted())
  const asked = await world.cli(['forget', ANNA], { interactive: true, input: 'y\n' })
  expect(asked).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('1 waiting messages, 0 delivered messages, 2 dead letters'),
  })
  expect(asked.stdout).toContain(`was erased in ${APP}`)
  expect(await left()).toEqual([])
  expect(documentOf(await world.cli(['forget', ANNA, '--yes', '--json']))).toMatchObject({
    waiting: 0,
    deadLetters: 0,
    left: { sending: 0 },
  })
})

it('ends with 1 while a message is being sent', async () => {
  const { id } = await world.outbox.send({ touser: ANNA, msgtype: 'text', text: { content: 'is sent' } })
  await world.store.redis.set(`{wxo:${APP}}:send:${id}:lock`, 'a run', 'EX', 60)
  expect(await world.cli(['forget', ANNA, '--yes'])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('1 message being sent just now, left: run it again when they have ended.'),
  })
})
