import { finderOf, holdsAny } from './decodings.ts'

/**
 * A text that came from outside on its way into Redis, a log line or a dashboard: one line, short, and without anything
 * that looks like a token, a secret or a part of a URL. WeChat, the proxies before it and companies' token servers often
 * repeat the URL that they were called with, whole or in parts, as it is or encoded.
 *
 * It is cleaned once, where it is read: `wechat` cleans what an answer says, `readJobData` what is wrong with stored data,
 * `policy` what BullMQ says about a job. What holds such a text afterwards – an outcome, an attempt, a reason – is clean.
 */

/** The most characters (UTF-16 units) of an `errmsg` that are kept. */
export const ERRMSG_CHARS_MAX = 300

/** Looked at for names and encodings, so that a huge text costs no more than a long one. What comes after it is dropped without being read. */
const ERRMSG_CHARS_READ = 4096

/** Of a secret whose end was cut off with the text's. */
const CUT_SECRET_CHARS = 8

const MASK = '***'

/** A name that carries a secret, and the value after `=`, `:` or their URL-encoded forms, quoted or bare. */
const NAMED_SECRET =
  /((?:access_?token|refresh_?token|secret|authorization|api_?key)\\?["']?\s*(?:=|:|%3D|%3A)\s*\\?["']?(?:Bearer\s+)?)[^\s"'&,;}\])\\]+/giu

/** An address with a scheme, a path of two parts or more, a query: whosever they are, they tell nothing about a message. */
const ADDRESSES = [
  /[a-z][a-z0-9+.-]{1,20}(?::|%3A)(?:\\?\/|%2F){2}[^\s"'<>]*/giu,
  /(?<![\p{L}\p{N}])(?:\\?\/[\w%.~@-]+){2,}[^\s"'<>]*/gu,
  /\?[\w%.~-]{1,64}=[^\s"'<>]*/gu,
]

/**
 * Never throws. The result is well-formed Unicode without control characters, at most `ERRMSG_CHARS_MAX` long. `secrets`,
 * which may be of any length, are masked wherever they stand, as they are and URL-encoded: those of three characters or
 * less where they stand as a word. Where one is left in another disguise, the whole text is. What has a telling name and
 * what looks like an address is masked whatever it is.
 */
export function cleanErrmsg(errmsg: string, secrets: readonly string[] = []): string {
  // What every delivery says, and too short to hold a secret.
  if (errmsg === 'ok') return errmsg
  let text = errmsg
  const known = [...new Set(secrets)].filter((secret) => secret !== '').toSorted((a, b) => b.length - a.length)
  // Masked before anything is cut: a cut through the middle of a token would leave half of it unrecognised.
  for (const secret of known) text = mask(text, secret)
  const read = text.slice(0, ERRMSG_CHARS_READ)
  const sought = read.length === text.length ? known : known.map((secret) => secret.slice(0, CUT_SECRET_CHARS))
  if (holdsAny(read, sought)) return MASK
  let oneLine = read.replaceAll(/\p{Cc}+/gu, ' ').replaceAll(NAMED_SECRET, `$1${MASK}`)
  for (const address of ADDRESSES) oneLine = oneLine.replaceAll(address, MASK)
  return oneLine.trim().slice(0, ERRMSG_CHARS_MAX).toWellFormed()
}

function mask(text: string, secret: string): string {
  const encoded = encodeURIComponent(secret.toWellFormed())
  const masked = text.replaceAll(finderOf(secret), MASK)
  return encoded === secret ? masked : masked.replaceAll(finderOf(encoded), MASK)
}
