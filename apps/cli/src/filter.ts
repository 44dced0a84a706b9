/** The options that choose dead letters, and the walk through all pages of what they choose. */
import { check, type DeadLetterFilter, deadLetterFilterSchema } from '@wechat-outbox/messages'
import {
  type DeadLetterPage,
  type ListedDeadLetter,
  listDeadLetters,
  type Store,
  storeError,
} from '@wechat-outbox/outbox/engine'
import { reasonKeyByName } from '@wechat-outbox/policy'
import { type Command, Option } from 'commander'
import { UsageError } from './failure.ts'
import { parsePast } from './times.ts'

export interface FilterOptions {
  readonly errcode?: string[]
  readonly to?: string[]
  readonly notTo?: string[]
  readonly window?: string[]
  readonly since?: string
  readonly until?: string
  readonly acceptedSince?: string
  readonly acceptedUntil?: string
  readonly all?: boolean
  readonly limit?: string
}

const PAGE_LETTERS = 200

const schema = deadLetterFilterSchema(reasonKeyByName)

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

/** `limited`: which of them `--limit` leaves. */
export function addFilterOptions(command: Command, limited: string): Command {
  const several = (flags: string, text: string): Option =>
    new Option(flags, `${text}; may be repeated`).argParser(collect)
  return command
    .addOption(several('--errcode <n>', 'died of this code, or of this reason: 45015, expired'))
    .addOption(several('--to <openid>', 'of this person: an openid, or oABC…wxyz as lists shorten it'))
    .addOption(several('--not-to <openid>', 'of anybody but this person'))
    .addOption(several('--window <state>', 'of people whose reply window is now open, used-up, closed or unknown'))
    .option('--since <time>', 'died at or after: 30s, 5m, 2h, 3d ago, ISO 8601 (UTC), epoch ms')
    .option('--until <time>', 'died at or before')
    .option('--accepted-since <time>', 'their messages were accepted at or after')
    .option('--accepted-until <time>', 'accepted at or before')
    .option('--limit <n>', `at most so many, ${limited}`)
}

/** A limit alone chooses nothing: whoever means all of them has to say so. */
export function hasFilter({ all, limit: _limit, ...options }: FilterOptions): boolean {
  const { errcode, to, notTo, window, since, until, acceptedSince, acceptedUntil } = options
  const given = [errcode, to, notTo, window, since, until, acceptedSince, acceptedUntil]
  return all === true || given.some((one) => one !== undefined)
}

/** @throws UsageError */
export function readFilter(options: FilterOptions, nowMs: number): DeadLetterFilter {
  const { errcode, to, notTo, window, limit } = options
  const given = {
    errcode,
    touser: to,
    notTouser: notTo,
    window,
    since: readPast('--since', options.since, nowMs),
    until: readPast('--until', options.until, nowMs),
    acceptedSince: readPast('--accepted-since', options.acceptedSince, nowMs),
    acceptedUntil: readPast('--accepted-until', options.acceptedUntil, nowMs),
    limit: limit === undefined ? undefined : Number(limit),
  }
  const filter = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const checked = check(filter, schema)
  if (checked.ok) return checked.value
  throw new UsageError(checked.problems.map(({ path, message }) => `${optionOf(path)} ${message}`).join('; '))
}

const OPTIONS: Readonly<Record<string, string>> = {
  errcode: '--errcode',
  touser: '--to',
  notTouser: '--not-to',
  window: '--window',
  since: '--since',
  until: '--until',
  acceptedSince: '--accepted-since',
  acceptedUntil: '--accepted-until',
  limit: '--limit',
}

function optionOf(path: string): string {
  const [field = ''] = path.split('.')
  return OPTIONS[field] ?? 'the filter'
}

/** @throws UsageError */
export function readPast(option: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const time = parsePast(text, nowMs)
  if (time !== undefined) return time
  throw new UsageError(`${option} must be a duration (30s, 5m, 2h, 3d), an ISO 8601 time or epoch milliseconds`)
}

export interface Walk {
  readonly appid: string
  readonly filter: DeadLetterFilter
  readonly max: number
}

/** Hands over the chosen letters, newest first, at most `max`; returns whether there are more. */
export async function walkDeadLetters(
  store: Store,
  { appid, filter, max }: Walk,
  take: (letter: ListedDeadLetter) => void,
): Promise<boolean> {
  let taken = 0
  let cursor: string | null = null
  do {
    const page: DeadLetterPage = await listDeadLetters(store, appid, {
      ...filter,
      limit: PAGE_LETTERS,
      ...(cursor === null ? {} : { cursor }),
    }).catch((error: unknown) => {
      throw storeError(error)
    })
    for (const letter of page.items) {
      if (taken === max) return true
      take(letter)
      taken += 1
    }
    cursor = page.next
  } while (cursor !== null)
  return false
}
