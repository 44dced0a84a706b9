/**
 * How a JSON body is built, found out from its bytes before a parser makes objects of them. Sixteen megabytes can be a million keys or
 * eight million nested lists, and making those keeps everybody waiting; counting them takes two nanoseconds a byte.
 */

/** A batch has a message in a list in an object, and a message is no deeper than 16. */
const DEPTH_MAX = 32
/** Keys and elements of a whole body: a thousand messages with 250 each. */
const VALUES_MAX = 250_000

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c] as const

/** What is wrong with the shape, or null. Whether it is JSON is for the parser to say. */
export function shapeProblem(bytes: Uint8Array): string | null {
  let depth = 0
  let values = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfText(bytes, at + 1)
    else if (byte === COMMA) values += 1
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1
      values += 1
      if (depth > DEPTH_MAX) return `is nested more than ${DEPTH_MAX} levels deep`
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1
    if (values > VALUES_MAX) return `has more than ${VALUES_MAX} values`
  }
  return null
}

function endOfText(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}
