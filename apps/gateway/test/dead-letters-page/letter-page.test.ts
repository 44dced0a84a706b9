import { expect, it } from 'vitest'
import { TEXTS } from '../../src/dead-letters-page/language.ts'
import type { PageContext } from '../../src/dead-letters-page/layout.ts'
import { renderLetter } from '../../src/dead-letters-page/letter-page.ts'
import { shownLetter } from '../../src/dead-letters-page/shown-letter.ts'

const RID = '5f3ded7d-04448f4b-0a6e7fd1'
const context: PageContext = {
  language: 'en',
  t: TEXTS.en,
  place: { appid: 'wx00000000000000aa', lang: undefined },
  switchTo: () => '',
  user: undefined,
  showContent: false,
}

/** The page of a letter that died of what WeChat said. */
function pageOf(errmsg: string, errcode = 45_015, name = 'reply-window-closed'): string {
  const reason = { errcode, name, errmsg, rid: RID, meaning: { en: '', zh: '' }, source: '' }
  const letter = {
    v: 1,
    id: 'd-one',
    messageId: 'm-one',
    message: { v: 1, touser: 'oABCDEFGHIJKLMNOP', msgtype: 'text', text: { content: 'x' } },
    reason,
    attempts: [{ at: 1, outcome: 'dead', ms: 1, errcode, errmsg, rid: RID }],
    acceptedAt: 1,
    deadAt: 1,
  } as const
  return String(renderLetter(context, shownLetter(letter as never, { showContent: false, language: 'en' })))
}

it('shows the rid of an attempt once, whether WeChat’s own text has it or not', () => {
  expect(pageOf(`response out of time limit rid: ${RID}`)).not.toContain('<small>rid')
  expect(pageOf('response out of time limit')).toContain(`<small>rid ${RID}</small>`)
})

it('says of what is refused again that its cause has to be mended', () => {
  const page = pageOf('invalid openid', 40_003, 'invalid-openid')
  expect(page).toContain('<dt>A replay</dt><dd>is refused again, unless the cause was mended</dd>')
})
