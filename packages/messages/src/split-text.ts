/**
 * A text that is longer than WeChat takes becomes several. Where it is cut decides how it reads, so a cut is made at the last line
 * end that fits, else at the last space, else between two characters as a person sees them: an emoji of several code points
 * stays whole. A link, `<a …>…</a>`, is never cut: half of one is markup on somebody's screen.
 *
 * What is dropped is white space alone: around each cut, and at the beginning and the end of the text. So no part is empty, and the
 * parts in their order, with the white space between them, are the text.
 */
import { PARTS_MAX, TEXT_BYTES_MAX_DEFAULT } from './limits.ts'

/** What becomes of long texts. */
export interface TextRule {
  /** Of one message, in bytes of UTF-8. */
  readonly bytesMax: number
  /** True: a longer text becomes several messages. False: it is refused. */
  readonly isSplit: boolean
}

export const TEXT_RULE_DEFAULT: TextRule = { bytesMax: TEXT_BYTES_MAX_DEFAULT, isSplit: false }

/** What stands against a text because of its length; null when nothing does. */
export function textProblem(text: string, { bytesMax, isSplit }: TextRule): string | null {
  if (Buffer.byteLength(text) <= bytesMax) return null
  if (!isSplit) return `must be at most ${bytesMax} bytes of UTF-8`
  const split = splitText(text, bytesMax)
  return split.ok ? null : split.problem
}

export type SplitText =
  | { readonly ok: true; readonly parts: readonly string[] }
  | { readonly ok: false; readonly problem: string }

/** A text that fits is its only part, as it is. `bytesMax`: at least 4, so that any character fits. */
export function splitText(text: string, bytesMax: number): SplitText {
  if (Buffer.byteLength(text) <= bytesMax) return { ok: true, parts: [text] }
  const rest = text.trimEnd()
  const links = linksIn(rest)
  if (links.some(({ from, to }) => Buffer.byteLength(rest.slice(from, to)) > bytesMax)) {
    return { ok: false, problem: `has a link, <a …>…</a>, of more than ${bytesMax} bytes of UTF-8, which is not cut` }
  }
  const parts: string[] = []
  let from = blankBefore(rest)
  while (from < rest.length) {
    if (parts.length === PARTS_MAX) {
      return { ok: false, problem: `must be at most ${PARTS_MAX} parts of ${bytesMax} bytes of UTF-8` }
    }
    const start = from
    const end = endOf(rest, from, bytesMax)
    const near = links.filter((link) => link.to > start && link.from < end)
    const to = cut({ text: rest, links: near, from, end })
    parts.push(rest.slice(from, to).trimEnd())
    from = to + blankBefore(rest.slice(to))
  }
  return { ok: true, parts }
}

/** How much white space a text begins with. The space that carries an accent is none. */
function blankBefore(text: string): number {
  for (const { index, segment } of graphemes().segment(text)) if (segment.trim() !== '') return index
  return text.length
}

/** A stretch of UTF-16 units. */
interface Span {
  readonly from: number
  readonly to: number
}

/** A tag ends at the first `>` outside of quotes, and holds no other tag. */
const TAG = /<\/a\s*>|<a(?=[\s>])(?:[^<>"']|"[^"]*"|'[^']*')*>/giu

/** Links from `<a …>` to `</a>`, and tags that stand alone. */
function linksIn(text: string): readonly Span[] {
  const spans: Span[] = []
  let isOpen = false
  for (const { 0: tag, index } of text.matchAll(TAG)) {
    const isEnd = tag.startsWith('</')
    const opening = isEnd && isOpen ? spans.pop() : undefined
    spans.push({ from: opening?.from ?? index, to: index + tag.length })
    isOpen = !isEnd
  }
  return spans
}

/** How far a part can reach that begins at `from`. */
function endOf(text: string, from: number, bytesMax: number): number {
  let left = bytesMax
  let at = from
  while (at < text.length) {
    const code = text.codePointAt(at) ?? 0
    left -= code < 0x80 ? 1 : code < 0x8_00 ? 2 : code < 0x1_00_00 ? 3 : 4
    if (left < 0) return at
    at += code < 0x1_00_00 ? 1 : 2
  }
  return at
}

interface Cut {
  readonly text: string
  readonly links: readonly Span[]
  readonly from: number
  readonly end: number
}

/** Where the part that begins at `from` ends: white space that follows there is dropped. */
function cut({ text, links, from, end }: Cut): number {
  if (end === text.length) return end
  const characters = graphemes().segment(text.slice(from))
  const characterAt = (at: number) => {
    const { index = 0, segment = '' } = characters.containing(at - from) ?? {}
    return { from: from + index, segment }
  }
  let space = -1
  // White space that begins right behind the part is dropped, so it is as good a place.
  for (let at = end; at > from; at -= 1) {
    at = linkAround(links, at)?.from ?? at
    if (at <= from || !/\s/.test(text.charAt(at))) continue
    const character = characterAt(at)
    // A space can carry an accent, and is a character with it.
    if (character.from !== at || character.segment.trim() !== '') continue
    if (/[\n\r\u2028\u2029]/.test(character.segment)) return at
    if (space === -1) space = at
  }
  if (space !== -1) return space
  for (let at = end; at > from; ) {
    const before = linkAround(links, at)?.from ?? characterAt(at).from
    if (before === at) return at
    at = before
  }
  // One character that is longer than a part, as no alphabet has it.
  return linkAround(links, end)?.from ?? end
}

/** The link that a cut at `at` would tear. */
function linkAround(links: readonly Span[], at: number): Span | undefined {
  return links.find(({ from, to }) => from < at && at < to)
}

let segmenter: Intl.Segmenter | undefined

/** Made when the first long text comes: it takes 20 ms, which most processes never need. */
function graphemes(): Intl.Segmenter {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return segmenter
}
