/**
 * A text that came from outside on its way into Redis, a log line or a dashboard: one line, short, and without anything
 * that looks like a token or a secret. WeChat and the proxies before it like to repeat the URL that they were called with.
 *
 * It is cleaned once, where it is read: `wechat` cleans what an answer says, `readJobData` what is wrong with stored data,
 * `policy` what BullMQ says about a job. What holds such a text afterwards – an outcome, an attempt, a reason – is clean.
 */

/** The most characters (UTF-16 units) of an `errmsg` that are kept. */
export const ERRMSG_CHARS_MAX = 300

/** Looked at for names, so that a huge text costs no more than a long one. What lies behind it is dropped unseen. */
const ERRMSG_CHARS_READ = 2000

const MASK = '***'

/** A name that carries a secret, and the value after `=`, `:` or their URL-encoded forms, quoted or bare. */
const NAMED_SECRET =
  /((?:access_?token|refresh_?token|secret|authorization|api_?key)\\?["']?\s*(?:=|:|%3D|%3A)\s*\\?["']?(?:Bearer\s+)?)[^\s"'&,;}\])\\]+/giu

/**
 * Never throws. The result is well-formed Unicode without control characters, at most `ERRMSG_CHARS_MAX` long. `secrets`
 * are masked wherever they stand, as they are and URL-encoded; what has a telling name is masked whatever it is.
 */
export function cleanErrmsg(errmsg: string, secrets: readonly string[] = []): string {
  // What every delivery says, and too short to hold a secret.
  if (errmsg === 'ok') return errmsg
  let text = errmsg
  // Masked before anything is cut: a cut through the middle of a token would leave half of it unrecognised.
  for (const secret of secrets) text = mask(text, secret)
  const oneLine = text.slice(0, ERRMSG_CHARS_READ).replaceAll(/\p{Cc}+/gu, ' ')
  return oneLine.replaceAll(NAMED_SECRET, `$1${MASK}`).trim().slice(0, ERRMSG_CHARS_MAX).toWellFormed()
}

function mask(text: string, secret: string): string {
  if (secret === '') return text
  return text.replaceAll(secret, MASK).replaceAll(encodeURIComponent(secret.toWellFormed()), MASK)
}
