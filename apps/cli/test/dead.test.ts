import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
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
    expect(idsOf(await list('--errcode', '45015', '--errcode', '40003', '--not-to', ANNA))).toEqual([ben])
    expect(idsOf(await list('--to', ANNA, '--to', BEN))).toEqual([late, wrong, ben].sort())
    expect(idsOf(await list('--accepted-until', '1h'))).toEqual([])
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

  it('shows what another program has written among the others, and by itself', async () => {
    const [late = '', odd = ''] = await die(three)
    const key = `{wxo:${APP}}:dead-letter:${odd}`
    for (const data of ['7', '{"messageId":"m-x","reason":null}', '{"reason":{},"message":{},"deadAt":1.7e18}']) {
      await world.store.redis.hset(key, 'data', data)
      const { code, stdout } = await world.cli(['dead', 'ls'])
      expect({ data, code }).toEqual({ data, code: 0 })
      expect(stdout).toMatch(new RegExp(`${odd} +unknown +– +unreadable +– +it is no dead letter`))
      expect(stdout).toMatch(new RegExp(`${late} .*45015 reply-window-closed`))
      expect(await world.cli(['dead', 'show', odd])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(`${odd}  it is no dead letter`),
      })
      expect((await world.cli(['dead', 'count'])).code).toBe(0)
    }
  })

  it('takes an openid as it is shortened in lists and in the dashboard, where that is one person’s', async () => {
    const [late = '', wrong = '', ben = '', other = ''] = await die([...three, ['oAnnaAXXXXXna_02', 'die 45015']])
    expect(idsOf(await list('--to', 'oAnnaA…na_01'))).toEqual([late, wrong].sort())
    expect(idsOf(await list('--to', 'oAnn…a_01', '--errcode', '40003'))).toEqual([wrong])
    expect(idsOf(await list('--to', 'oAnnaA...na_02', '--to', BEN))).toEqual([ben, other].sort())
    expect(idsOf(await list('--not-to', 'oAnnaA…na_01'))).toEqual([ben, other].sort())
    expect(documentOf(await world.cli(['dead', 'count', '--json', '--to', 'oAnn…_01']))).toMatchObject({ total: 2 })
    const dry = ['dead', 'discard', '--dry-run', '--to']
    expect((await world.cli([...dry, 'oAnn…_01'])).stdout).toContain('Would discard 2 dead letters')
    expect(await world.cli([...dry, 'oAnnaA…a_0'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("oAnnaA…a_0 is nobody's openid among"),
    })
    const several = await world.cli([...dry, 'oA…na_01', '--to', 'oAnnaA…na_02', '--not-to', 'oAnna…2'])
    expect(several).toMatchObject({ code: 0, stdout: expect.stringContaining('Would discard 2 dead letters') })
    expect(await world.cli(['dead', 'ls', '--to', 'o…0'])).toMatchObject({ code: 1 })
    expect(await world.cli(['dead', 'ls', '--to', 'oAnna…na_0…1'])).toMatchObject({ code: 2 })
  })

  it('refuses a shortened openid that fits several people, and does nothing', async () => {
    await die([...three, ['oAnnaAXXXXXna_01', 'die 45015']])
    const result = await world.cli(['dead', 'replay', '--to', 'oAnnaA…na_01', '--yes'])
    expect(result).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('fits the openids of 2 people'),
    })
    expect(documentOf(await world.cli(['task', 'ls', '--json'])).items).toEqual([])
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

describe('what a replay comes to', () => {
  const AGAIN = 'is refused again, unless the cause was mended'

  it('is shown with the letter, in the words of the page', async () => {
    const [late = '', wrong = ''] = await die(three)
    expect((await world.cli(['dead', 'show', wrong])).stdout).toMatch(new RegExp(`\n +a replay +${AGAIN}\n`))
    expect((await world.cli(['dead', 'show', late])).stdout).toMatch(
      / a replay +only if the user has written again since\n/,
    )
    expect((await world.cli(['dead', 'show', wrong, '--lang', 'zh'])).stdout).toContain(
      '除非原因已消除，否则会再次被拒',
    )
  })

  it('is said before a replay that is refused again, of one letter or of many', async () => {
    const [, wrong = ''] = await die(three)
    const asked = (...args: string[]) =>
      world
        .cli(['dead', 'replay', ...args], { interactive: true, input: 'n\n' })
        .then(({ code, stderr }) => ({ code, stderr }))
    expect(await asked(wrong)).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        `^It died of 40003: a replay ${AGAIN}\\.\\nreplay 1 dead letter of ${APP}\\? [^]*nothing was done`,
      ),
    })
    expect((await asked('--all')).stderr).toContain(`1 of 3 died of 40003: a replay ${AGAIN}.\n`)
    expect((await asked('--errcode', '45015')).stderr).not.toContain(AGAIN)
    expect((await world.cli(['dead', 'replay', '--all', '--dry-run'])).stdout).toContain(
      `1 of 3 died of 40003: a replay ${AGAIN}.\n`,
    )
    expect((await world.cli(['dead', 'discard', '--all', '--dry-run'])).stdout).not.toContain(AGAIN)
    expect(await world.cli(['dead', 'replay', wrong, '--detach', '--yes'])).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('dead count', () => {
  it('tells how many there are of each code, by person and by hour, with the same filters', async () => {
    await die(three)
    const { code, stdout } = await world.cli(['dead', 'count'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^LETTERS {2}ERRCODE/)
    expect(stdout).toMatch(/\n2 +45015 +reply-window-closed: /)
    expect(stdout).toContain(`3 dead letters of ${APP}.`)
    const count = async (...args: string[]) => documentOf(await world.cli(['dead', 'count', '--json', ...args]))
    expect(await count()).toEqual({
      appid: APP,
      by: 'errcode',
      total: 3,
      counts: [
        { key: '45015', count: 2 },
        { key: '40003', count: 1 },
      ],
      others: 0,
    })
    expect(await count('--by', 'touser', '--not-to', BEN)).toMatchObject({
      total: 2,
      counts: [{ key: ANNA, count: 2 }],
    })
    expect(await count('--errcode', '40003', '--errcode', 'reply-window-closed', '--to', BEN)).toMatchObject({
      total: 1,
    })
    expect(await count('--by', 'hour', '--accepted-since', '1h')).toMatchObject({ total: 3 })
    expect(await world.cli(['dead', 'count', '--by', 'colour'])).toMatchObject({ code: 2 })
  })
})
