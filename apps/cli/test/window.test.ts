// Reply windows on the command line: of one person, of a message that waits, and of dead letters before they are replayed.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ANNA, BEN, idsOf, letDie, three } from './letters.ts'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const CLARA = 'oClara'

let world: World
let late: string
let wrong: string
let ben: string
let clara: string
beforeAll(async () => {
  world = await startWorld()
  ;[late = '', wrong = '', ben = '', clara = ''] = await letDie(world, [...three, [CLARA, 'die 45015 c']])
  await world.outbox.userActed({ touser: ANNA, action: 'message' })
  await world.outbox.userActed({ touser: BEN, action: 'enter' })
  await world.store.redis.hset(`{wxo:${APP}}:window:${BEN}`, 'used', '2')
})
afterAll(() => world?.close())

const cli = (...args: string[]) => world.cli(args)

describe('window', () => {
  it('tells how many messages WeChat takes, until when, and why', async () => {
    expect(documentOf(await cli('window', ANNA, '--json'))).toMatchObject({
      appid: APP,
      touser: ANNA,
      state: 'open',
      remaining: 5,
      closesAt: expect.stringMatching(/Z$/),
      lastAction: { action: 'message' },
      waiting: 0,
    })
    const { code, stdout } = await cli('window', 'oAnnaA…na_01', '--app', APP)
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${ANNA}  open: WeChat takes messages\\n +app +${APP}\\n +remaining +5\\n`))
    expect(stdout).toMatch(/closes at +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, in (?:2d|1d 23h|47h 59m)/)
    expect(stdout).toMatch(/last action +message, .*Z, \d+s ago\n +waiting +0 not settled yet\n$/)
    expect((await cli('window', BEN)).stdout).toMatch(/^oBen {2}used-up: WeChat takes nothing more/)
  })

  it('says that nothing is known, and whose openid it does not know', async () => {
    const { stdout } = await cli('window', CLARA)
    expect(stdout).toMatch(/^oClara {2}unknown: no action was reported/)
    expect(stdout).not.toMatch(/remaining|closes/)
    expect(await cli('window', 'oNob…ody')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nobody's openid"),
    })
  })
})

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
      /3 of 4 died .* of 2 of these no open window is known \(1 used-up, 1 unknown\): WeChat refuses [^]*\n1 of 4 died of 40003: a replay is refused again, [^]*\nreplay 4 dead letters of /,
    )
    const still = (of: string) =>
      new RegExp(
        `^It died of a closed or used-up reply window \\(45015\\), and as far as the outbox knows that has not changed: ${of}\\. WeChat refuses it again, unless the user has acted since\\.\\nreplay 1 dead letter of `,
      )
    expect((await asked('n', ben)).stderr).toMatch(still('what the latest action of the user allowed is used up'))
    expect((await asked('n', clara)).stderr).toMatch(still('no action of the user was reported'))
    const { redis } = world.store
    await redis.hset(`{wxo:${APP}}:window:${CLARA}`, {
      until: '1000',
      limit: '5',
      used: '0',
      at: '1',
      action: 'message',
    })
    expect((await asked('n', clara)).stderr).toMatch(still('the window is closed since the latest action of the user'))
    await redis.del(`{wxo:${APP}}:window:${CLARA}`)
    const open = await asked('n', '--window', 'open')
    expect(open.stderr).toContain('replay 2 dead letters of')
    expect(open.stderr).not.toContain('reply window')
  })

  it('are replayed one by one without a question where their window is open', async () => {
    expect(await asked('n', late)).toMatchObject({ code: 0, stderr: '' })
    expect(await world.cli(['dead', 'replay', '--detach', ben])).toMatchObject({ code: 0, stderr: '' })
  })
})

it('says where nothing is known that a message waits for an action, and how many', async () => {
  // As a worker leaves one that WeChat has refused.
  const held = ['--app', APP, '--text', 'x', '--on-closed', 'hold', '--json']
  const { id } = documentOf(await world.cli(['send', '--to', CLARA, ...held]))
  expect((await cli('window', CLARA)).stdout).toMatch(/^oClara {2}unknown: no action was reported/)
  await world.store.redis.hset(`{wxo:${APP}}:send:${id}`, 'parked', 'user')
  expect((await cli('window', CLARA)).stdout).toMatch(
    /^oClara {2}unknown: nobody has reported an action of this person to the outbox lately; 1 message waits for one, and is tried every six hours\n/,
  )
  await world.cli(['send', '--to', CLARA, ...held])
  expect((await cli('window', CLARA)).stdout).toMatch(
    / lately; 2 messages wait for one, and are tried every six hours\n[^]*waiting +2 /,
  )
  expect(documentOf(await cli('window', CLARA, '--json'))).toMatchObject({
    state: 'unknown',
    waiting: 2,
    waitingForUser: 2,
  })
  await world.store.redis.hdel(`{wxo:${APP}}:send:${id}`, 'parked')
})

it('a message that waits for its user is shown as that, and is nothing that is wrong', async () => {
  const send = ['send', '--app', APP, '--to', BEN, '--text', 'hello', '--on-closed', 'hold', '--json']
  const { id } = documentOf(await world.cli(send))
  const consumer = await world.consume()
  await vi.waitFor(async () => expect((await world.outbox.status(id))?.status).toBe('waiting-for-user'), 20_000)
  const { stdout } = await cli('show', id)
  expect(stdout).toMatch(/waiting-for-user\n +WeChat takes nothing for its user now, .*: wxo window oBen --app wx/)
  expect(stdout).toMatch(/waits since +\d{4}-/)
  const status = await cli('status', '--app', APP)
  expect(status.stdout).toContain('1 of these wait for the next action of their users')
  expect(documentOf(await cli('status', '--json'))).toMatchObject({
    findings: [{ kind: 'dead-letters' }],
    items: [{ waitingForUser: 1 }],
  })
  await consumer.close(5000)
})
