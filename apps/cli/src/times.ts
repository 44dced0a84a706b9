/** Times as people type them – `30s`, `2h`, ISO 8601, epoch milliseconds – and as they read them. */

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds of `30s`, `5m`, `2h` or `3d`; undefined where it is not a duration. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text.trim()) ?? []
  return count === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

/**
 * A moment that has been, in epoch ms: a duration counts back from now; a date or a time without an offset is UTC, which
 * is what all output here uses. Undefined where the text is none of these.
 */
export function parsePast(text: string, nowMs: number): number | undefined {
  const durationMs = parseDuration(text)
  return durationMs === undefined ? parseInstant(text) : nowMs - durationMs
}

function parseInstant(text: string): number | undefined {
  const trimmed = text.trim()
  // Ten digits are seconds, meant by mistake: they would be a day in 1970.
  if (/^\d{13}$/.test(trimmed)) return Number(trimmed)
  const [, date, time, offset = 'Z'] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?(Z|[+-]\d{2}:?\d{2})?$/i.exec(trimmed) ?? []
  if (date === undefined || (time === undefined && offset !== 'Z') || !isCalendarDay(date)) return undefined
  const instant = Date.parse(
    `${date}T${time ?? '00:00'}${offset.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2').toUpperCase()}`,
  )
  return Number.isNaN(instant) ? undefined : instant
}

/** `Date.parse` takes the 30th of February for the 2nd of March. */
function isCalendarDay(date: string): boolean {
  const day = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(day) && new Date(day).toISOString().startsWith(date)
}

/** `sendAt` and `expiresAt` as a request takes them: a duration counts from now on, the rest is the request's to judge. */
export function requestTime(text: string, nowMs: number): string | number {
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return nowMs + durationMs
  return /^\d+$/.test(text) ? Number(text) : text
}

/** `2026-11-22 19:57:05Z`: UTC, as in the logs. */
export function showTime(epochMs: number): string {
  if (!Number.isFinite(epochMs) || Math.abs(epochMs) > 8.64e15) return 'unknown'
  return new Date(epochMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}

/** The two largest units, for reading: `45s`, `3m 12s`, `2h 5m`, `3d 4h`. */
export function showDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return pair(`${minutes}m`, seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? pair(`${hours}h`, minutes % 60, 'm') : pair(`${Math.floor(hours / 24)}d`, hours % 24, 'h')
}

function pair(large: string, small: number, unit: string): string {
  return small === 0 ? large : `${large} ${small}${unit}`
}
