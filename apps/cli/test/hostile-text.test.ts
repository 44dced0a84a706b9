// Texts of other people on an operator's terminal: whatever they are, they are shown and not obeyed.
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, type CliResult, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const HOSTILE = 'a\u009b2J\u009d0;title\u009c\u202eb\u2066c\u200b\u200d\ufeff\u00add'
/** What stands in a terminal's stream although nobody sees it, line breaks aside. Nothing here asks for colours. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{DI}]/u

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const isSeen = ({ stdout, stderr }: CliResult): boolean => !UNSEEN.test(stdout + stderr)

it('is so with metadata, names and values, as text and as JSON', async () => {
  const metadata = { [HOSTILE]: { note: HOSTILE } }
  const content = { content: 'die 45015' }
  const { id } = await world.outbox.send({ touser: 'oBen', msgtype: 'text', text: content, metadata })
  const shown = await world.cli(['show', id, '--app', APP])
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('\\u009b2J') })
  expect(isSeen(shown)).toBe(true)
  const json = await world.cli(['show', id, '--app', APP, '--json'])
  expect(isSeen(json)).toBe(true)
  expect(documentOf<{ metadata: unknown }>(json).metadata).toEqual(metadata)

  const consumer = await world.consume()
  const letter = id.replace('m-', 'd-')
  await vi.waitFor(async () => expect((await world.cli(['dead', 'show', letter, '--app', APP])).code).toBe(0), 30_000)
  await consumer.close(5000)
  for (const line of [
    ['dead', 'show', letter],
    ['dead', 'ls'],
    ['dead', 'replay', letter, '--dry-run'],
    ['dead', 'discard', letter, '--dry-run'],
  ]) {
    for (const more of [[], ['--json']]) {
      const result = await world.cli([...line, '--app', APP, ...more])
      expect({ line, code: result.code, isSeen: isSeen(result) }).toEqual({ line, code: 0, isSeen: true })
    }
  }
})

it('is so with what other hands have written to Redis', async () => {
  await world.outbox.send({ touser: 'oHand', msgtype: 'text', text: { content: 'hello' }, idempotencyKey: 'by-hand' })
  const [key = ''] = await world.store.redis.keys(`{wxo:${APP}}:idem:*`)
  await world.store.redis.hset(key, 'id', `m-${HOSTILE}`)
  const again = ['send', '--app', APP, '--to', 'oHand', '--text', 'hello', '--key', 'by-hand']
  for (const more of [[], ['--json']]) expect(isSeen(await world.cli([...again, ...more]))).toBe(true)
  await world.store.redis.hset(`{wxo:${APP}}:hold`, { operator: '1', why: HOSTILE })
  for (const line of [['status'], ['app', 'ls'], ['status', '--json'], ['app', 'ls', '--json']]) {
    const result = await world.cli(line)
    expect({ line, isSeen: isSeen(result) }).toEqual({ line, isSeen: true })
    expect(result.stdout).toContain('\\u009b2J')
  }
})

it('is so with events of callbacks, which another program may have written', async () => {
  const queue = `{wxo:${APP}}:callback:`
  const spoilt = { name: HOSTILE, data: JSON.stringify({ id: HOSTILE }), timestamp: HOSTILE, failedReason: HOSTILE }
  await world.store.redis.hset(`${queue}${HOSTILE}`, { ...spoilt, atm: HOSTILE })
  await world.store.redis.zadd(`${queue}failed`, 1, HOSTILE)
  await world.store.redis.hset(`${queue}hold`, { kind: 'failing', reason: HOSTILE, since: 1, until: 1 })
  for (const more of [[], ['--json']]) {
    const result = await world.cli(['callback', 'ls', '--app', APP, ...more])
    expect({ code: result.code, isSeen: isSeen(result) }).toEqual({ code: 0, isSeen: true })
    expect(result.stdout).toContain('\\u202e')
  }
})

it('is so with arguments, which a script may have from elsewhere', async () => {
  for (const line of [
    [HOSTILE],
    ['show', HOSTILE],
    ['send', '--body', `/nowhere/${HOSTILE}`],
    ['dead', 'ls', `--${HOSTILE}`],
  ]) {
    const result = await world.cli([...line])
    expect(result.code).not.toBe(0)
    expect({ line, isSeen: isSeen(result) }).toEqual({ line, isSeen: true })
  }
})
