import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitText, textProblem } from '../src/index.ts'

const partsOf = (text: string, bytesMax: number): readonly string[] => {
  const split = splitText(text, bytesMax)
  if (!split.ok) throw new Error(split.problem)
  return split.parts
}
const LINK = '<a href="https://example.com">here</a>'
const FAMILY = '👨‍👩‍👧‍👦'

describe('splitText', () => {
  it.each([
    ['a text that fits is left as it is', '  one two\n', 20, ['  one two\n']],
    ['at the last line end that fits', 'one\ntwo three\nfour', 14, ['one\ntwo three', 'four']],
    ['at a line end before a later space', 'one\ntwo three', 10, ['one', 'two three']],
    ['at a line end that stands right behind the part', 'one two\nthree', 7, ['one two', 'three']],
    ['at a line end of two characters', 'one two\r\nthree', 8, ['one two', 'three']],
    ['at the last space, where no line ends', 'one two three', 9, ['one two', 'three']],
    ['at the wide space of Chinese', '您好　世界', 9, ['您好', '世界']],
    ['between characters, where there is neither', '您好世界', 7, ['您好', '世界']],
    ['never inside of a surrogate pair', 'ab👋👋', 7, ['ab👋', '👋']],
    ['never inside of an emoji of several code points', `ab${FAMILY}`, 25, ['ab', FAMILY]],
    ['not before an accent of its own', 'abcde\u0301', 5, ['abcd', 'e\u0301']],
    ['not at a space that carries an accent', 'ab cd \u0301', 7, ['ab', 'cd \u0301']],
    ['a flag stays whole', '🇨🇳🇨🇳🇨🇳', 12, ['🇨🇳', '🇨🇳', '🇨🇳']],
    ['before a link that does not fit', `see ${LINK} now`, 40, ['see', LINK, 'now']],
    ['before a link although there are spaces in it', `xx${LINK}`, 39, ['xx', LINK]],
    ['after a link that fits', `${LINK}${LINK}`, 60, [LINK, LINK]],
    ['not inside of a tag without its end', `abc<a href="x y">def`, 16, ['abc', '<a href="x y">de', 'f']],
    ['not inside of a quoted >', `a <a href=">b c">d</a>`, 21, ['a', '<a href=">b c">d</a>']],
    ['what only begins like a link is text', '<abc def', 5, ['<abc', 'def']],
    ['white space at a cut goes, however long it is', `one${' \n'.repeat(30)}two`, 5, ['one', 'two']],
    ['white space around the text goes with it', `${' '.repeat(30)}one two\n\n`, 7, ['one two']],
    [
      'a character that is longer than a part is cut between its code points',
      `e${'\u0301'.repeat(4)}`,
      5,
      ['e\u0301\u0301', '\u0301\u0301'],
    ],
  ])('cuts: %s', (_name, text, bytesMax, parts) => {
    expect(splitText(text, bytesMax)).toEqual({ ok: true, parts })
  })

  it('refuses a link that no part can hold, and more parts than are stored at once', () => {
    expect(splitText(`one two ${LINK}`, 37)).toEqual({ ok: false, problem: expect.stringContaining('a link') })
    expect(splitText('x'.repeat(500), 10)).toMatchObject({ ok: true })
    expect(splitText('x'.repeat(501), 10)).toEqual({
      ok: false,
      problem: 'must be at most 50 parts of 10 bytes of UTF-8',
    })
  })

  it('takes no long time over a text that is made to be slow', () => {
    const slow = ['<a "', '<a \'"', '<a></a>', '</a ', 'e\u0301', '<a ', '👨‍', ' \u0301'].map((piece) =>
      piece.repeat(60_000 / Buffer.byteLength(piece)),
    )
    const startedMs = process.cpuUsage().user / 1000
    for (const text of slow) splitText(text, 2048)
    expect(process.cpuUsage().user / 1000 - startedMs).toBeLessThan(3000)
  })
})

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  { weight: 3, arbitrary: fc.constantFrom(' ', '\n', '\r\n', '　', '\n\n  ') },
  { weight: 2, arbitrary: fc.constantFrom(LINK, '<a>', '</a>', '<a b="c d">e f</a>', '<a ', '"', '<') },
  { weight: 2, arbitrary: fc.constantFrom('您好', FAMILY, '🇨🇳', 'e\u0301', '👋🏽', '\u0301') },
)
const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''))
const bytesMax = fc.integer({ min: 40, max: 120 })
const clusters = (value: string): string[] =>
  Array.from(new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(value), ({ segment }) => segment)

/** Where the parts stand in the text, or undefined when something other than white space lies between them. */
function placesOf(whole: string, parts: readonly string[]): readonly { from: number; to: number }[] | undefined {
  let at = 0
  const places = parts.map((part) => {
    const from = whole.indexOf(part, at)
    const isBlank = from >= 0 && whole.slice(at, from).trim() === ''
    at = from + part.length
    return isBlank ? { from, to: at } : undefined
  })
  const isWhole = places.every((place) => place !== undefined) && whole.slice(at).trim() === ''
  return isWhole ? places.flatMap((place) => place ?? []) : undefined
}

describe('the parts of any text', () => {
  it('are the text in its order, each with something in it and none too long', () => {
    fc.assert(
      fc.property(text, bytesMax, (whole, max) => {
        const split = splitText(whole, max)
        if (!split.ok || whole.trim() === '') return
        expect(placesOf(whole, split.parts)).toBeDefined()
        expect(split.parts.every((part) => part.trim() !== '' && part.isWellFormed())).toBe(true)
        expect(split.parts.every((part) => Buffer.byteLength(part) <= max)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('tear no link and no character', () => {
    fc.assert(
      fc.property(text, bytesMax, (whole, max) => {
        const split = splitText(whole, max)
        if (!split.ok || split.parts.length < 2) return
        const places = placesOf(whole, split.parts) ?? []
        const edges = places.flatMap(({ from, to }) => [from, to])
        for (const { 0: link, index } of whole.matchAll(/<a( [^<>"]*("[^"]*")?)?>[^<]*<\/a>/g)) {
          expect(edges.some((edge) => edge > index && edge < index + link.length)).toBe(false)
        }
        let at = 0
        const bounds = [0, ...clusters(whole).map((one) => (at += one.length))]
        // What has to stay together: a character, or a link with the characters at its ends, which may carry an accent.
        const links = [...whole.matchAll(/<\/?a[^<>]*>(?:[^<]*<\/a\s*>)?/giu)].map(({ 0: link, index }) => {
          const from = bounds.findLast((bound) => bound <= index)
          return whole.slice(
            from,
            bounds.find((bound) => bound >= index + link.length),
          )
        })
        if ([...clusters(whole), ...links].some((one) => Buffer.byteLength(one) > max)) return
        expect(edges.filter((edge) => !bounds.includes(edge))).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  it('are no more than twice what they need to be, and one where one is enough', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ' ', '\n', '您'), maxLength: 2000 }),
        bytesMax,
        (whole, max) => {
          const parts = partsOf(whole.trim() || 'a', max)
          const least = Math.ceil(Buffer.byteLength(whole.trim() || 'a') / max)
          expect(parts.length).toBeLessThanOrEqual(2 * least + 1)
        },
      ),
    )
  })
})

describe('textProblem', () => {
  it('speaks of the length where longer texts are refused, and only then', () => {
    expect(textProblem('x'.repeat(11), { bytesMax: 10, isSplit: false })).toBe('must be at most 10 bytes of UTF-8')
    expect(textProblem('x'.repeat(11), { bytesMax: 10, isSplit: true })).toBeNull()
    expect(textProblem('x'.repeat(501), { bytesMax: 10, isSplit: true })).toContain('50 parts')
  })
})
