import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { langOf } from '../src/lang.ts'
import { ANNA, letDie } from './letters.ts'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
let id: string
beforeAll(async () => {
  world = await startWorld()
  const [letter = ''] = await letDie(world, [[ANNA, 'die 45015']])
  id = letter
})
afterAll(() => world.close())

it.each([
  [{}, 'en'],
  [{ LANG: 'zh_CN.UTF-8' }, 'zh'],
  [{ LANG: 'zh' }, 'zh'],
  [{ LANG: 'ZH-TW' }, 'zh'],
  [{ LANG: 'zhuang' }, 'en'],
  [{ LANG: 'zh_CN.UTF-8', LC_MESSAGES: 'de_DE.UTF-8' }, 'en'],
  [{ LANG: 'zh_CN.UTF-8', LC_MESSAGES: '' }, 'zh'],
  [{ LANG: 'de_DE', LC_MESSAGES: 'de_DE', LC_ALL: 'zh_TW' }, 'zh'],
  [{ LANG: 'zh_CN.UTF-8', LC_ALL: 'C' }, 'en'],
] as const)('a locale %j asks for %s', (environment, lang) => {
  expect(langOf(environment)).toBe(lang)
})

it.each([
  [['dead', 'ls'], '45015 reply-window-closed: 太晚了。', '45015 reply-window-closed: no way'],
  [['dead', 'show', ''], '太晚了。', 'It was too late.'],
  [['dead', 'count'], 'reply-window-closed: 回复时间', 'reply-window-closed: The '],
  [['dead', 'discard', '--all', '--dry-run'], 'reply-window-closed: 回复时间', 'reply-window-closed: The '],
  [['show', ''], '回复时间超过限制', 'no \\u001b[31mway'],
])('wxo %j explains a reason in the language that is asked for', async (words, chinese, english) => {
  const line = words.map((word) => (word === '' ? (words[0] === 'show' ? id.replace('d-', 'm-') : id) : word))
  const args = [...line, '--app', APP]
  const asked = await world.cli([...args, '--lang', 'zh'], { env: { LANG: 'en_US.UTF-8' } })
  expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining(chinese) })
  expect(asked.stdout).not.toContain(english)
  const { stdout } = await world.cli(args, { env: { LANG: 'zh_CN.UTF-8' } })
  expect(stdout).toContain(chinese)
  const usual = await world.cli(args)
  expect(usual.stdout).toContain(english)
  expect(usual.stdout).not.toContain(chinese)
})

it('gives programs both, whatever the language, and refuses one that it does not speak', async () => {
  const json = documentOf(await world.cli(['dead', 'ls', '--json', '--lang', 'zh']))
  expect(json.items[0]?.reason.meaning).toEqual({ en: 'It was too late.', zh: '太晚了。' })
  expect(await world.cli(['dead', 'ls', '--lang', 'fr'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('en, zh'),
  })
})
