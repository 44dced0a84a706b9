/** The header `Retry-After`, in its two forms. */

/** Nobody means more than a day; the policy sets a limit of its own below this one. */
const RETRY_AFTER_MS_MAX = 86_400_000

/** Milliseconds from now, or undefined where the header is missing or makes no sense. A date in the past is 0. */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const delayMs = /^\d+$/u.test(text) ? Number(text) * 1000 : httpDateMs(text) - nowMs
  return Number.isNaN(delayMs) ? undefined : Math.min(Math.max(delayMs, 0), RETRY_AFTER_MS_MAX)
}

/** `Date.parse` also takes `-1` or `1.5` for a year, so only texts that name a day of the week count as a date. */
function httpDateMs(text: string): number {
  return /^[A-Z][a-z]+,? /u.test(text) ? Date.parse(text) : Number.NaN
}
