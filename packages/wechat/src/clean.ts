/**
 * WeChat's words without ours in them. It, or a proxy before it, may repeat the URL that it was called with, and with it
 * a token or a secret.
 */

const ERRMSG_CHARS_MAX = 300

const MASK = '***'

/** A name that carries a secret, and the value after `=` or `:`, also URL-encoded or quoted. */
const NAMED_SECRET = /((?:access_token|secret)\\?["']?\s*(?:=|:|%3D|%3A)\s*\\?["']?)[^\s"'&,;}\])\\]+/giu

/** `secrets` are masked wherever they stand, as they are and URL-encoded. One line, at most 300 characters. */
export function cleanErrmsg(errmsg: unknown, secrets: readonly string[]): string {
  if (typeof errmsg !== 'string') return ''
  // What every delivery says, and too short to hold a secret.
  if (errmsg === 'ok') return errmsg
  let text = errmsg
  // Masked before it is cut: a cut through the middle of a token would leave half of it unrecognised.
  for (const secret of secrets) text = mask(text, secret)
  text = text.replaceAll(NAMED_SECRET, `$1${MASK}`).replaceAll(/\p{Cc}+/gu, ' ')
  return text.trim().slice(0, ERRMSG_CHARS_MAX).toWellFormed()
}

function mask(text: string, secret: string): string {
  if (secret === '') return text
  return text.replaceAll(secret, MASK).replaceAll(encodeURIComponent(secret.toWellFormed()), MASK)
}

const RID = /\brid: ?([0-9a-f]{1,16}-[0-9a-f]{1,16}-[0-9a-f]{1,16})\b/iu

/** WeChat's request id, which it puts into `errmsg`: its support asks for it. */
export function ridOf(errmsg: unknown): string | undefined {
  return typeof errmsg === 'string' ? RID.exec(errmsg)?.[1] : undefined
}
