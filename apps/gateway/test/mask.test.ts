import { describe, expect, it } from 'vitest'
import { deadLetterName, maskDeadLetter, maskMessage, maskOpenid, maskReturnValue, messageName } from '../src/mask.ts'

const NOW = 1_764_000_000_000

describe('a message', () => {
  it('keeps what tells its fate and hides what was written', () => {
    const message = {
      v: 1,
      touser: 'oABCDEFGHIJKLMNOP',
      msgtype: 'link',
      link: { title: 'a title', url: 'https://shop.example/x' },
      sendAt: 1_700_000_000_000,
      ifUnsure: 'dead-letter',
      onClosed: 'hold',
      metadata: { order: 17, gift: true, tags: ['red'], none: null },
      replayOf: 'd-abc',
      earlierReasons: ['45015 reply-window-closed'],
    }
    expect(maskMessage(message)).toEqual({
      ...message,
      touser: 'oABC…MNOP',
      link: { title: '••• (7 characters)', url: '••• (22 characters)' },
      metadata: '••• (4 fields)',
    })
  })

  it('hides a known field that holds something else', () => {
    const strange = {
      v: 'text',
      msgtype: 'a secret',
      sendAt: 'soon',
      ifUnsure: 'secret',
      onClosed: 'secret',
      replayOf: 'a b',
      earlierReasons: ['1', { a: 'x' }],
    }
    expect(JSON.stringify(maskMessage(strange))).not.toMatch(/text"|secret|soon|a b|"1"|"x"/)
  })

  it('hides names that nobody knows, metadata’s among them', () => {
    const masked = maskMessage({
      v: 1,
      'a secret': 1,
      metadata: { 'a secret': 2 },
      text: { 'a secret': 3, content: 'x' },
    })
    expect(masked).toEqual({
      v: 1,
      metadata: '••• (1 fields)',
      text: { content: '••• (1 characters)', '•••': '1 field' },
      '•••': '1 field',
    })
  })

  it.each([['a text'], [['a text']], [42], [true]])('hides %j in place of one', (data) => {
    expect(JSON.stringify(maskMessage(data))).not.toMatch(/a text|42|true/)
  })

  it('ends, however deep or wide the data is', () => {
    let deep: unknown = 'a secret'
    for (let depth = 0; depth < 5000; depth += 1) deep = { deep }
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`key-${n}`.repeat(50), 'a secret']))
    const masked = JSON.stringify([
      maskMessage(deep),
      maskMessage(wide),
      maskMessage({ list: Array(5000).fill('a secret') }),
    ])
    expect(masked).not.toContain('a secret')
    expect(masked.length).toBeLessThan(20_000)
  })

  it('is not led astray by names that every object has', () => {
    expect(JSON.stringify(maskMessage(JSON.parse('{"__proto__":"a secret","constructor":"a secret"}')))).not.toContain(
      'secret',
    )
  })
})

it('shortens an openid, and hides one that would hardly be shortened', () => {
  expect(maskOpenid('oABCDEFGHIJKLMNOP')).toBe('oABC…MNOP')
  expect(maskOpenid('oABCDEFG')).toBe('•••')
  expect(maskOpenid({ openid: 'x' })).toEqual('••• (1 fields)')
})

it('keeps the reason and the attempts of a dead letter', () => {
  const letter = {
    v: 1,
    messageId: 'm-abc',
    reason: {
      errcode: 45015,
      name: 'reply-window-closed',
      errmsg: 'response out of time limit',
      meaning: { en: 'a secret', zh: 'a secret' },
      source: 'a secret',
    },
    attempts: [{ at: NOW, outcome: 'dead', ms: 3, errcode: 45015, errmsg: 'response out of time limit' }],
    acceptedAt: NOW,
    deadAt: NOW,
  }
  expect(maskDeadLetter({ ...letter, message: { unreadable: { text: 'a secret' } } })).toEqual({
    ...letter,
    reason: {
      ...letter.reason,
      meaning: { en: expect.stringContaining('reply'), zh: expect.any(String) },
      source: expect.stringContaining('WeChat'),
    },
    message: '••• (1 fields)',
  })
  const strange = {
    ...letter,
    reason: 'a secret',
    attempts: [{ at: { x: 'a secret' }, note: 'a secret' }, 'a secret'],
    more: 'a secret',
  }
  expect(JSON.stringify(maskDeadLetter(strange))).not.toContain('a secret')
})

it('keeps the attempts of a delivered message', () => {
  expect(maskReturnValue({ attempts: [{ at: NOW, outcome: 'delivered', ms: 2 }], body: 'a secret' })).toEqual({
    attempts: [{ at: NOW, outcome: 'delivered', ms: 2 }],
    '•••': '1 field',
  })
  expect(maskReturnValue(null)).toBe(null)
})

it('puts the reason and the person into the name', () => {
  const name = (msgtype: unknown, data: unknown) => deadLetterName(msgtype, data, maskOpenid)
  const message = { touser: 'oABCDEFGHIJKLMNOP' }
  expect(name('text', { reason: { errcode: 45015, name: 'reply-window-closed' }, message })).toBe(
    'text · 45015 reply-window-closed · oABC…MNOP',
  )
  expect(name('image', { reason: { errcode: null, name: 'expired' } })).toBe('image · expired')
  expect(name('text', { reason: { errcode: 'a secret', name: 'a secret' }, message: { touser: 'a secret' } })).toBe(
    'text',
  )
  expect(name('a secret', null)).toBe('•••')
  expect(messageName('miniprogrampage', message, maskOpenid)).toBe('miniprogrampage · oABC…MNOP')
  expect(messageName('text', message, String)).toBe('text · oABCDEFGHIJKLMNOP')
  for (const data of [null, 'a secret', { touser: 7 }, { touser: 'a'.repeat(65) }])
    expect(messageName('text', data, String)).toBe('text')
})
