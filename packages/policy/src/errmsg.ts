/**
 * A text that came from outside on its way into Redis, a log line or a dashboard: one line, short, and without anything
 * that looks like a token or a secret. WeChat and the proxies before it like to repeat the URL that they were called with.
 */

/** The most characters (UTF-16 units) of an `errmsg` that are kept. */
export const ERRMSG_CHARS_MAX = 300

/** Looked at before masking, so that a huge text costs no more than a long one. What lies behind it is dropped unseen. */
const ERRMSG_CHARS_READ = 2000

/** A name that carries a secret, and the value after `=`, `:` or their URL-encoded forms, quoted or bare. */
const SECRET =
  /((?:access_?token|refresh_?token|secret|authorization|api_?key)\\?["']?\s*(?:=|:|%3D|%3A)\s*\\?["']?(?:Bearer\s+)?)[^\s"'&,;}\])\\]+/giu

/** Never throws. The result is well-formed Unicode without control characters, at most `ERRMSG_CHARS_MAX` long. */
export function cleanErrmsg(errmsg: string): string {
  // What every delivery says.
  if (errmsg === 'ok') return errmsg
  const oneLine = errmsg.slice(0, ERRMSG_CHARS_READ).replaceAll(/\p{Cc}+/gu, ' ')
  return oneLine.replaceAll(SECRET, '$1***').trim().slice(0, ERRMSG_CHARS_MAX).toWellFormed()
}
