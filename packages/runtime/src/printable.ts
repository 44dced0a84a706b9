/**
 * What reaches a terminal or a log comes from WeChat, from callers' metadata and from whoever writes to Redis, and a terminal
 * obeys what it is shown: escape sequences (C0 and C1) move the cursor and rewrite lines, changes of direction and characters
 * without a width make one text look like another. So all of them are shown as `\u….`, which JSON reads as what they were.
 *
 * Scripts of all languages stay as they are, and so do emoji, some of which are held together by such characters.
 */

/** Cc: controls; Cf and DI: formats, directions and what has no width; and the two separators. Then what belongs to an emoji. */
const UNPRINTABLE =
  /(?!(?<=\p{Extended_Pictographic})\ufe0f)(?!(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic}))[\p{Cc}\p{Cf}\p{DI}\u2028\u2029]/gu

/** Most lines hold nothing else, and finding that out costs half a microsecond. */
const BEYOND_ASCII = /[^\n -~]/

/** A text as one line: with its line breaks as `\n`, and everything else that cannot be seen as `\u….`. */
export function printable(text: string): string {
  return printableLines(text.replaceAll('\t', ' ')).replaceAll('\n', '\\n')
}

/** A text that has lines of its own, such as a JSON document, which stays one with the same meaning. */
export function printableLines(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text
  return text.replaceAll(UNPRINTABLE, (char) => (char === '\n' ? char : escaped(char)))
}

/** As JSON writes it: one escape for each unit of UTF-16. */
function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
    '',
  )
}
