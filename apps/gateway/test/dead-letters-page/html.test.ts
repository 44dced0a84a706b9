import { expect, it } from 'vitest'
import { html, type Part } from '../../src/dead-letters-page/html.ts'
import { chooseLanguage, LANGUAGES, TEXTS } from '../../src/dead-letters-page/language.ts'
import { shownLetter } from '../../src/dead-letters-page/shown-letter.ts'

it.each([
  ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
  [`"'&`, '&quot;&#39;&amp;'],
  ['a\u202eb\u0000\u200b', 'a\\u202eb\\u0000\\u200b'],
  ['您好 👋🏽\nline', '您好 👋🏽\nline'],
  [7, '7'],
  [false, ''],
  [undefined, ''],
] as [Part, string][])('writes %j as text', (value, written) => {
  expect(html`<p title="${value}">${[value, [value]]}</p>`.toString()).toBe(
    `<p title="${written}">${written}${written}</p>`,
  )
})

it('takes what it has made as it is, and no object that only says so', () => {
  expect(html`<ul>${[html`<li>${'<'}</li>`]}</ul>`.toString()).toBe('<ul><li>&lt;</li></ul>')
  const forged = { isEscaped: true, toString: () => '<script>' } as unknown as Part
  expect(html`${forged}`.toString()).toBe('&lt;script&gt;')
})

it('shows a letter that anybody may have written, whatever stands in it', () => {
  const letters = [
    { id: 'd-1' },
    { id: 'd-2', message: null, reason: null, attempts: 7, acceptedAt: 'x', deadAt: {} },
    {
      id: 'd-3',
      message: { text: [], metadata: { a: true }, touser: {} },
      reason: { errcode: 'x', name: [] },
      attempts: [null, 'x'],
    },
    { id: 'd-4', message: { unreadable: { toString: 1 } }, reason: {}, attempts: [{}] },
  ]
  for (const letter of letters) {
    for (const showContent of [true, false]) {
      const shown = shownLetter(letter as never, { showContent, language: 'en' })
      expect(shown.id).toBe(letter.id)
      expect(shown.notReplayable).toBe('unreadable')
      for (const value of Object.values(shown))
        expect(['string', 'number', 'boolean', 'undefined', 'object']).toContain(typeof value)
    }
  }
})

it.each([
  [undefined, '', 'en'],
  [undefined, 'zh-TW', 'zh'],
  [undefined, 'en;q=0.1, ZH-cn;q=0.9', 'zh'],
  [undefined, 'zh;q=0, en;q=0.1', 'en'],
  [undefined, 'fr, *;q=0.5', 'en'],
  ['zh', 'en', 'zh'],
  ['<script>', 'zh', 'zh'],
] as const)('chooses a language by %j and %j', (chosen, header, language) => {
  expect(chooseLanguage(chosen, header)).toBe(language)
})

it('has every text in every language, and none that is the same sentence', () => {
  const flat = (texts: object, at = ''): [string, unknown][] =>
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === 'object' ? flat(value, `${at}${key}.`) : ([[at + key, value]] as [string, unknown][]),
    )
  const [en, zh] = LANGUAGES.map((language) => new Map(flat(TEXTS[language])))
  expect([...(zh?.keys() ?? [])]).toEqual([...(en?.keys() ?? [])])
  const same = [...(en ?? [])].filter(
    ([key, text]) => typeof text === 'string' && text === zh?.get(key) && text.includes(' '),
  )
  expect(same).toEqual([])
})
