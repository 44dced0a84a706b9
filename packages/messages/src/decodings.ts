/**
 * Is a secret in this text in some disguise? Servers repeat what they were sent percent-encoded, escaped for JSON or HTML, in
 * base64 or in hex, and several of these on top of each other. Nobody can undo every encoding there is; these are the ones
 * that software applies without being asked to.
 */

const ROUNDS_MAX = 3
/** Bytes that were taken for base64 or hex and are neither may hold any short text by chance. */
const CHANCE_CHARS_MAX = 3

const NAMED: Readonly<Record<string, string>> = { amp: '&', quot: '"', apos: "'", sol: '/', colon: ':', period: '.' }

const codePoint = (digits: string, radix: number): string => {
  const code = Number.parseInt(digits, radix)
  return code <= 0x10_ffff ? String.fromCodePoint(code) : ''
}

/** What every escape has, and what may stand between two characters of a text. */
const ESCAPE = /[%\\&\p{Cc}\p{Cf}]/u

/** One layer of every escape that a text may hold. */
function unescaped(text: string): string {
  if (!ESCAPE.test(text)) return text
  return (
    text
      .replaceAll(/(?:%[0-9a-f]{2})+/giu, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'))
      .replaceAll(/\\+u\{?([0-9a-f]{4,6})\}?/giu, (_, digits: string) => codePoint(digits.slice(0, 6), 16))
      .replaceAll(/\\+x([0-9a-f]{2})/giu, (_, digits: string) => codePoint(digits, 16))
      .replaceAll(/&#x([0-9a-f]{1,6});?/giu, (_, digits: string) => codePoint(digits, 16))
      .replaceAll(/&#(\d{1,7});?/gu, (_, digits: string) => codePoint(digits, 10))
      .replaceAll(/&(amp|quot|apos|sol|colon|period);/gu, (_, name: string) => NAMED[name] ?? '')
      .replaceAll(/\\+(?=[/"'.:?&=])/gu, '')
      // What has no width may stand between any two characters.
      .replaceAll(/[\p{Cc}\p{Cf}]/gu, '')
  )
}

/** What stands in a text as base64 or as hex. Packed, nothing is shorter than `charsMin`. */
function unpacked(text: string, charsMin: number): string {
  const decoded = (runs: readonly string[] | null, packing: 'base64' | 'hex'): string[] =>
    (runs ?? []).filter(({ length }) => length >= charsMin).map((run) => Buffer.from(run, packing).toString('utf8'))
  const base64 = decoded(text.match(/[A-Za-z0-9+/_-]{4,}/gu), 'base64')
  const hex = decoded(text.match(/(?:[0-9a-f]{2}){2,}/giu), 'hex')
  return [...base64, ...hex].join('\n')
}

function packedAs(packing: 'base64' | 'base64url' | 'hex', secret: string): string {
  return Buffer.from(secret).toString(packing).replace(/=+$/u, '')
}

/** Each answer of WeChat's is searched for the same token and the same address, and a pattern costs more to make than to use. */
const made = new Map<string, RegExp>()
const FINDERS_MAX = 100

/** Finds a text as `cleanErrmsg` does: a short one as a word, a longer one anywhere, in capitals or not. For `search` and `replaceAll`, which leave no trace in it. */
export function finderOf(secret: string): RegExp {
  const known = made.get(secret)
  if (known !== undefined) return known
  if (made.size >= FINDERS_MAX) made.clear()
  const escaped = secret.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, String.raw`\$&`)
  const isShort = secret.length <= CHANCE_CHARS_MAX
  const finder = new RegExp(isShort ? String.raw`(?<![\p{L}\p{N}])${escaped}(?![\p{L}\p{N}])` : escaped, 'giu')
  made.set(secret, finder)
  return finder
}

/** Whether a text holds one of the secrets, as it is or encoded. */
export function holdsAny(text: string, secrets: readonly string[]): boolean {
  const packedShort = secrets
    .filter((secret) => secret.length > 1 && secret.length <= CHANCE_CHARS_MAX)
    .flatMap((secret) => (['base64', 'base64url', 'hex'] as const).map((packing) => packedAs(packing, secret)))
  const finders = [...secrets, ...packedShort].map(finderOf)
  const long = secrets.filter((secret) => secret.length > CHANCE_CHARS_MAX)
  const longFinders = long.map(finderOf)
  const charsMin = Math.min(...long.map(({ length }) => length))
  const holds = (some: readonly RegExp[], value: string): boolean => some.some((finder) => value.search(finder) >= 0)
  let plain = text
  for (let round = 0; round <= ROUNDS_MAX; round += 1) {
    if (holds(finders, plain)) return true
    const packed = unpacked(plain, charsMin)
    if (
      packed !== '' &&
      [packed, unescaped(packed), unpacked(packed, charsMin)].some((each) => holds(longFinders, each))
    )
      return true
    const next = unescaped(plain)
    if (next === plain) return false
    plain = next
  }
  return false
}
