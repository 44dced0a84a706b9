import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { APP, type CliDocument, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const ANNA = 'oAnnaAnnaAnnaAnnaAnnaAnna_01'
const BEN = 'oBen'
let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

/** Sends texts and stops the consumer again once all are dead, so that nothing moves while a test looks. */
async function die(messages: readonly (readonly [touser: string, text: string, note?: string])[]): Promise<string[]> {
  const consumer = await world.consume()
  const requests = messages.map(([touser, content, note]) => ({
    touser,
    msgtype: 'text' as const,
    text: { content },
    ...(note === undefined ? {} : { metadata: { note } }),
  }))
  const sent = await world.outbox.sendMany(requests)
  const ids = sent.map((result) => ('id' in result ? result.id : ''))
  await vi.waitFor(
    async () => {
      const failed = await world.store.redis.zcard(world.store.backend(APP, 'dead-letter').toKey('failed'))
      expect(failed).toBe(messages.length)
    },
    { timeout: 30_000, interval: 20 },
  )
  await consumer.close(5000)
  return ids.map((id) => id.replace(/^m-/, 'd-'))
}

const failedCount = (): Promise<number> =>
  world.store.redis.zcard(world.store.backend(APP, 'dead-letter').toKey('failed'))
const statusOf = async (id: string) => (await world.outbox.status(id))?.status
const list = async (...args: string[]) => documentOf(await world.cli(['dead', 'ls', '--json', ...args]))
const idsOf = (page: CliDocument): string[] => page.items.map(({ id }) => id).sort()

const three = [
  [ANNA, 'die 45015 a'],
  [ANNA, 'die 40003'],
  [BEN, 'die 45015 b'],
] as const

describe('dead ls', () => {
  it('filters by code, reason, person and time, and leaves the app to the only one there is', async () => {
    const [late, wrong, ben] = (await die(three)) as [string, string, string]
    const all = await list()
    expect(all).toMatchObject({ appid: APP, more: false })
    expect(all.items.map(({ deadAt }) => deadAt)).toEqual(
      all.items.map(({ deadAt }) => deadAt).sort((left, right) => right - left),
    )
    expect(idsOf(all)).toEqual([late, wrong, ben].sort())
    expect(idsOf(await list('--errcode', '45015'))).toEqual([late, ben].sort())
    expect(idsOf(await list('--errcode', 'reply-window-closed', '--to', ANNA))).toEqual([late])
    expect(idsOf(await list('--to', BEN, '--since', '1h'))).toEqual([ben])
    expect(idsOf(await list('--until', '1h'))).toEqual([])
    const wrongLetter = all.items.find(({ id }) => id === wrong)
    const at = String(wrongLetter?.deadAt)
    expect(idsOf(await list('--since', at, '--until', at, '--to', ANNA))).toContain(wrong)
  })

  it('prints a table for people, with openids shortened, and says when there is more', async () => {
    const [late] = await die(three)
    const { code, stdout } = await world.cli(['dead', 'ls', '--to', ANNA])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ID +DIED +AGO +MSGTYPE +TO +REASON\n/)
    expect(stdout).toMatch(
      new RegExp(
        `${late} +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ +\\d+s +text +oAnnaA…na_01 +45015 reply-window-closed: no way`,
      ),
    )
    expect(stdout).not.toContain(ANNA)
    expect(stdout).not.toContain('\u001b')
    expect((await world.cli(['dead', 'ls', '--limit', '2'])).stdout).toContain('there are more: --limit N or --all')
    expect(await list('--limit', '2')).toMatchObject({ more: true, items: [{}, {}] })
    expect((await world.cli(['dead', 'ls', '--errcode', '1'])).stdout).toBe(
      `${APP} has no dead letters of that kind.\n`,
    )
  })

  it('goes through all pages', async () => {
    const ids = await die(Array.from({ length: 450 }, (_, index) => [`o${index}`, 'die 40003'] as const))
    expect(await list()).toMatchObject({ more: true, items: { length: 50 } })
    const all = await list('--all')
    expect(all.more).toBe(false)
    expect(idsOf(all)).toEqual(ids.sort())
  })
})

describe('dead show', () => {
  it('tells everything, and nothing that steers the terminal', async () => {
    const [id = ''] = await die([[ANNA, 'die 45015 您好', '\u001b[2J']])
    const { code, stdout } = await world.cli(['dead', 'show', id])
    expect(code).toBe(0)
    for (const part of [
      id,
      ANNA,
      '45015 reply-window-closed: no way',
      'It was too late.',
      '太晚了。',
      'a test',
      '1 attempt',
      '12 ms',
    ]) {
      expect(stdout).toContain(part)
    }
    expect(stdout).toContain('rid abc-123')
    expect(stdout).toContain('"content": "die 45015 您好"')
    expect(stdout).toContain('"note":"\\u001b[2J"')
    expect(stdout).not.toContain('\u001b')
    expect(documentOf(await world.cli(['dead', 'show', id, '--json']))).toMatchObject({
      appid: APP,
      id,
      reason: { errcode: 45015 },
      attempts: [{ errcode: 45015, outcome: 'dead' }],
    })
    expect(await world.cli(['dead', 'show', 'd-none'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has no dead letter d-none'),
    })
  })
})

describe('dead replay', () => {
  it('sends one again as a new message, and answers the same when asked twice', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    const replayed = `${id.replace('d-', 'm-')}-1`
    expect(await world.cli(['dead', 'replay', id])).toMatchObject({
      code: 0,
      stdout: `${id} → ${replayed}\n`,
      stderr: '',
    })
    await world.consume()
    await vi.waitFor(async () => expect(await statusOf(replayed)).toBe('delivered'), { timeout: 20_000 })
    expect(documentOf(await world.cli(['dead', 'replay', id, '--json']))).toEqual({
      appid: APP,
      done: 1,
      failed: 0,
      more: false,
      items: [{ id, result: 'requested', replayedAs: replayed }],
    })
  })

  it('replays all that a filter meets, over several batches, and leaves the others', async () => {
    const many = Array.from({ length: 250 }, (_, index) => [`o${index}`, 'die 45015'] as const)
    const ids = await die([...many, [BEN, 'die 40003']])
    const kept = ids.pop() ?? ''
    const result = documentOf(await world.cli(['dead', 'replay', '--errcode', '45015', '--yes', '--json']))
    expect(result).toMatchObject({ done: 250, failed: 0, more: false })
    expect(result.items.map(({ id }) => id).sort()).toEqual([...ids].sort())
    await world.consume()
    await vi.waitFor(async () => expect(idsOf(await list('--all'))).toEqual([kept]), { timeout: 40_000, interval: 500 })
    // Its dead letter goes when it is replayed; that it is delivered comes after.
    await vi.waitFor(async () => expect(await statusOf(`${ids[7]?.replace('d-', 'm-')}-1`)).toBe('delivered'), 10_000)
  })

  it('changes nothing in a dry run and nothing without a yes', async () => {
    const [id = ''] = await die(three)
    const dry = await world.cli(['dead', 'replay', '--all', '--dry-run'])
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain(`${id} → ${id.replace('d-', 'm-')}-1`)
    expect(dry.stdout).toContain('     2  45015 reply-window-closed\n')
    expect(dry.stdout).toContain(`Would replay 3 dead letters of ${APP}; nothing was done.`)
    const document = documentOf(await world.cli(['dead', 'replay', '--all', '--dry-run', '--json']))
    expect(document).toMatchObject({ dryRun: true, done: 0, would: 3, failed: 0, items: { length: 3 } })
    const unasked = await world.cli(['dead', 'replay', '--all'])
    expect(unasked).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('add --yes') })
    expect(await failedCount()).toBe(3)
  })

  it('says which ones it could not replay', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    const result = await world.cli(['dead', 'replay', 'd-none', id])
    expect(result.code).toBe(1)
    expect(result.stdout).toContain('d-none is not there')
    expect(result.stdout).toContain(`${id} → `)
    expect(result.stdout).toContain('1 dead letter to be replayed; a worker sends them, 1 not.')
  })

  it('takes only so many as it is told to, and says that there are more', async () => {
    await die(three)
    expect(documentOf(await world.cli(['dead', 'replay', '--all', '--limit', '2', '--yes', '--json']))).toMatchObject({
      done: 2,
      more: true,
    })
    expect(await failedCount()).toBe(1)
  })

  it('names a letter whose message cannot be read', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    const key = world.store.backend(APP, 'dead-letter').toKey(id)
    const letter = JSON.parse((await world.store.redis.hget(key, 'data')) ?? '')
    await world.store.redis.hset(key, 'data', JSON.stringify({ ...letter, message: { unreadable: 'x' } }))
    expect(await world.cli(['dead', 'replay', id])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('cannot be read'),
    })
    expect((await world.cli(['dead', 'show', id])).stdout).toContain('content (unreadable, cannot be replayed)')
    expect(documentOf(await world.cli(['dead', 'replay', '--all', '--dry-run', '--json']))).toMatchObject({
      would: 0,
      failed: 1,
    })
  })
})

describe('dead discard', () => {
  it('removes what is chosen for good, and the messages say so', async () => {
    const [late, wrong, ben] = (await die(three)) as [string, string, string]
    expect((await world.cli(['dead', 'discard', late])).code).toBe(2)
    expect(await world.cli(['dead', 'discard', '--to', ANNA, '--dry-run'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Would discard 2'),
    })
    const result = await world.cli(['dead', 'discard', '--to', ANNA, '--yes'])
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining(`${wrong} discarded\n`) })
    expect(idsOf(await list())).toEqual([ben])
    expect(await statusOf(late.replace('d-', 'm-'))).toBe('discarded')
  })

  it('leaves one that is being replayed, and is still able to see it', async () => {
    const [id = ''] = await die([[BEN, 'die 45015']])
    await world.cli(['dead', 'replay', id])
    const result = await world.cli(['dead', 'discard', id, '--yes', '--json'])
    expect(result.code).toBe(1)
    expect(documentOf(result).items).toEqual([{ id, result: 'being-replayed' }])
    expect(idsOf(await list())).toEqual([id])
  })
})
