import { describe, expect, it } from 'vitest'
import { printable, printableLines } from '../src/index.ts'

/** One of each kind that a terminal obeys or does not show. */
const HARMFUL = {
  'an escape sequence': '\u001b[2J',
  'a C1 sequence': '\u009b31m',
  'the end of a string in C1': '\u009c',
  delete: '\u007f',
  'a backspace': '\b',
  'a carriage return': '\r',
  'an override of direction': '\u202e',
  'an isolate of direction': '\u2067',
  'a mark of direction': '\u200f',
  'an Arabic letter mark': '\u061c',
  'a space without width': '\u200b',
  'a joiner without width': 'a\u200db',
  'a non-joiner': '\u200c',
  'a word joiner': '\u2060',
  'a byte order mark': '\ufeff',
  'a soft hyphen': '\u00ad',
  'a line separator': '\u2028',
  'a Hangul filler': '\u3164',
  'a hidden tag': '\u{e0041}',
  'a variation selector': 'a\ufe0f',
}

const SEEN = /^[^\p{Cc}\p{Cf}\p{DI}\u2028\u2029]*$/u

describe.each(Object.entries(HARMFUL))('%s', (_name, text) => {
  it('is shown instead of obeyed', () => {
    expect(printable(text)).toMatch(SEEN)
    expect(printable(text)).toContain('\\u')
    expect(printableLines(text)).toMatch(SEEN)
  })

  it('keeps its meaning in a JSON document, as a key and as a value', () => {
    const document = { [text]: [text, { deep: `您好${text}` }] }
    for (const indent of [0, 2]) {
      const written = printableLines(JSON.stringify(document, null, indent))
      expect(written.replaceAll('\n', '')).toMatch(SEEN)
      expect(JSON.parse(written)).toEqual(document)
    }
  })
})

it('leaves people’s scripts and emoji alone', () => {
  for (const text of ['您好', 'é', 'سلام', '👩‍👩‍👧', '❤️‍🔥', '👍🏽', '🇨🇳', 'नमस्ते']) expect(printable(text)).toBe(text)
})

it('makes one line of several, or keeps them', () => {
  expect(printable('a\nb\tc')).toBe('a\\nb c')
  expect(printableLines('a\nb')).toBe('a\nb')
})

it('keeps the meaning of a JSON document with any character there is', () => {
  for (let from = 0; from < 0x11_0000; from += 0x1000) {
    const all = String.fromCodePoint(...Array.from({ length: 0x1000 }, (_, at) => from + at))
    expect(JSON.parse(printableLines(JSON.stringify(all))) === all, from.toString(16)).toBe(true)
  }
})
