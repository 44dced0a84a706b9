// Reply windows on the command line: of dead letters before they are replayed.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ANNA, BEN, idsOf, letDie, three } from './letters.ts'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const CLARA = 'oClara'

let world: World
let late: string
let wrong: string
let ben: string
beforeAll(async () => {
  world = await startWorld()
  ;[late = '', wrong = '', ben = ''] = await letDie(world, [...three, [CLARA, 'die 45015 c']])
  await world.outbox.userActed({ touser: ANNA, action: 'message' })
  await world.outbox.userActed({ touser: BEN, action: 'enter' })
  await world.store.redis.hset(`{wxo:${APP}}:window:${BEN}`, 'used', '2')
})
afterAll(() => world?.close())

const cli = (...args: string[]) => world.cli(args)

describe('dead letters by the window of their people', () => {
  it('are listed, counted, and counted by state in a dry run', async () => {
    expect(idsOf(documentOf(await cli('dead', 'ls', '--window', 'open', '--json')))).toEqual([late, wrong].toSorted())
    const two = ['--window', 'used-up', '--window', 'unknown']
    expect(documentOf(await cli('dead', 'count', ...two, '--json'))).toMatchObject({ total: 2 })
    const dry = await cli('dead', 'replay', '--window', 'open', '--window', 'used-up', '--dry-run')
    expect(dry.stdout).toContain('\n\nReply windows of their people: 2 open, 1 used-up.\n')
    expect(dry.stdout).toContain(
      '2 of 3 died of a closed or used-up reply window (45015, 45047), and of 1 of these no open window is known (1 used-up): WeChat refuses',
    )
    expect(documentOf(await cli('dead', 'discard', ben, '--dry-run', '--json'))).toMatchObject({
      total: 1,
      windows: [{ key: 'used-up', count: 1 }],
    })
    expect((await cli('dead', 'discard', ben, '--dry-run')).stdout).not.toContain('WeChat refuses')
  })

  const asked = (answer: string, ...args: string[]) =>
    world.cli(['dead', 'replay', '--detach', ...args], { interactive: true, input: `${answer}\n` })

  it('are replayed after a question that says which of them WeChat refuses again', async () => {
    const all = await asked('n', '--all')
    expect(all).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was done') })
    expect(all.stderr).toMatch(
      /3 of 4 died .* of 2 of these no open window is known \(1 used-up, 1 unknown\): WeChat refuses .*\nreplay 4 dead letters of /,
    )
    expect((await asked('n', ben)).stderr).toMatch(/1 of 1 died .*\nreplay 1 dead letter of /)
    const open = await asked('n', '--window', 'open')
    expect(open.stderr).toContain('replay 2 dead letters of')
    expect(open.stderr).not.toContain('died of')
  })

  it('are replayed one by one without a question where their window is open, or they died of something else', async () => {
    for (const id of [late, wrong]) expect(await asked('n', id)).toMatchObject({ code: 0, stderr: '' })
    expect(await world.cli(['dead', 'replay', '--detach', ben])).toMatchObject({ code: 0, stderr: '' })
  })
})
