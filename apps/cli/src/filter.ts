/** The options that choose dead letters, and the walk through all pages of what they choose. */
import { touserSchema } from '@wechat-outbox/messages'
import {
  type DeadLetterPage,
  type ListedDeadLetter,
  type ListFilter,
  listDeadLetters,
  type Store,
  storeError,
} from '@wechat-outbox/outbox/engine'
import { OWN_REASONS, SEND_ERRCODES } from '@wechat-outbox/policy'
import { type Command, Option } from 'commander'
import { UsageError } from './failure.ts'
import { parsePast } from './times.ts'

export interface FilterOptions {
  readonly errcode?: string
  readonly to?: string
  readonly since?: string
  readonly until?: string
  readonly all?: boolean
  readonly limit?: string
}

/** Dead letters that one command looks at, however many there are. */
export const SELECTED_MAX = 100_000
const PAGE_LETTERS = 200

export function addFilterOptions(command: Command): Command {
  return command
    .addOption(new Option('--errcode <n>', 'died of this code, or of this reason: 45015, expired'))
    .addOption(new Option('--to <openid>', 'of this person'))
    .addOption(new Option('--since <time>', 'died at or after: 30s, 5m, 2h, 3d ago, ISO 8601 (UTC), epoch ms'))
    .addOption(new Option('--until <time>', 'died at or before'))
    .addOption(new Option('--limit <n>', 'at most so many, the newest'))
}

/** A limit alone chooses nothing: whoever means all of them has to say so. */
export function hasFilter(options: FilterOptions): boolean {
  const { errcode, to, since, until, all } = options
  return all === true || [errcode, to, since, until].some((given) => given !== undefined)
}

/** @throws UsageError */
export function readFilter(options: FilterOptions, nowMs: number): ListFilter {
  const since = readPast('--since', options.since, nowMs)
  const until = readPast('--until', options.until, nowMs)
  if (since !== undefined && until !== undefined && since > until) throw new UsageError('--since is later than --until')
  if (options.to !== undefined && !touserSchema.safeParse(options.to).success) {
    throw new UsageError('--to must be 1 to 64 letters, digits, _ or -')
  }
  return {
    ...readReason(options.errcode),
    ...(options.to === undefined ? {} : { touser: options.to }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  }
}

/** `defaultMax` where neither `--limit` nor `--all` says more. @throws UsageError */
export function readLimit(options: FilterOptions, defaultMax: number): number {
  if (options.limit === undefined) return options.all === true ? SELECTED_MAX : defaultMax
  const limit = /^\d{1,6}$/.test(options.limit) ? Number(options.limit) : 0
  if (limit < 1 || limit > SELECTED_MAX) throw new UsageError(`--limit must be from 1 to ${SELECTED_MAX}`)
  return limit
}

/** A code by its number or by its name; reasons of our own have a name alone. */
function readReason(text: string | undefined): Pick<ListFilter, 'errcode' | 'name'> {
  if (text === undefined) return {}
  if (/^-?\d{1,9}$/.test(text)) return { errcode: Number(text) }
  const row = SEND_ERRCODES.find(({ name }) => name === text)
  if (row !== undefined) return { errcode: row.errcode }
  if (OWN_REASONS.some(({ name }) => name === text)) return { name: text }
  throw new UsageError('--errcode must be a number, or the name of a reason such as expired or reply-window-closed')
}

function readPast(option: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const time = parsePast(text, nowMs)
  if (time !== undefined) return time
  throw new UsageError(`${option} must be a duration (30s, 5m, 2h, 3d), an ISO 8601 time or epoch milliseconds`)
}

export interface Walk {
  readonly appid: string
  readonly filter: ListFilter
  readonly max: number
}

/** Hands over the chosen letters, newest first, at most `max`; returns whether there are more. */
export async function walkDeadLetters(
  store: Store,
  walk: Walk,
  take: (letter: ListedDeadLetter) => void,
): Promise<boolean> {
  let taken = 0
  let cursor: string | null = null
  do {
    const page: DeadLetterPage = await listDeadLetters(store, walk.appid, {
      ...walk.filter,
      limit: PAGE_LETTERS,
      ...(cursor === null ? {} : { cursor }),
    }).catch((error: unknown) => {
      throw storeError(error)
    })
    for (const letter of page.items) {
      if (taken === walk.max) return true
      take(letter)
      taken += 1
    }
    cursor = page.next
  } while (cursor !== null)
  return false
}
