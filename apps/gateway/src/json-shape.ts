/**
 * How a JSON body is built, found out from its bytes before a parser makes objects of them. Sixteen megabytes can be a million keys or
 * eight million nested lists, and making those keeps everybody waiting; counting them takes two nanoseconds a byte.
 */

/** A batch has a message in a list in an object, and a message is no deeper than 16. */
const DEPTH_MAX = 32
/** Keys and elements of a whole body: a thousand messages with a hundred each. */
const VALUES_MAX = 100_000
/** Of one object or list: a task may name ten thousand letters. An object with a hundred thousand keys takes ten times as long to build as ten thousand small ones. */
const VALUES_IN_ONE_MAX = 20_000

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** What a byte outside of texts does to the shape. Most do nothing, and are passed over by one look. */
const [NOTHING, TEXT, OPENS, CLOSES, SEPARATES] = [0, 1, 2, 3, 4] as const
const KIND = new Uint8Array(256).fill(NOTHING)
KIND[QUOTE] = TEXT
// [ { ] } ,
for (const byte of [0x5b, 0x7b]) KIND[byte] = OPENS
for (const byte of [0x5d, 0x7d]) KIND[byte] = CLOSES
KIND[0x2c] = SEPARATES

/** What is wrong with the shape, or null. Whether it is JSON is for the parser to say. */
export function shapeProblem(bytes: Uint8Array): string | null {
  const counts = new Uint32Array(DEPTH_MAX + 1)
  let depth = 0
  let values = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const kind = KIND[bytes[at] as number]
    if (kind === NOTHING) continue
    if (kind === TEXT) at = endOfText(bytes, at + 1)
    else if (kind === CLOSES) depth -= 1
    else {
      values += 1
      if (kind === OPENS) {
        depth += 1
        if (depth > DEPTH_MAX) return `is nested more than ${DEPTH_MAX} levels deep`
        counts[depth] = 1
      } else {
        const count = (counts[depth] ?? 0) + 1
        if (count > VALUES_IN_ONE_MAX) return `has an object or a list of more than ${VALUES_IN_ONE_MAX} values`
        counts[depth] = count
      }
      if (values > VALUES_MAX) return `has more than ${VALUES_MAX} values`
    }
  }
  return null
}

function endOfText(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}
