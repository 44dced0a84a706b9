/**
 * Whether every refusal of a run was one that the ledger of reply windows could not foresee. The fake WeChat’s own book says what it took
 * and refused, and the run what it told the outbox, and when.
 *
 * The ledger may take a window for larger than it is, and so cause a refusal, for these reasons alone:
 * - WeChat closed it on its own, or was told of the action after the outbox was;
 * - the outbox has been told of no action of the person yet, because WeChat gave up its push: it then knows of no window, and sends;
 * - WeChat took a message between an action and its record. Every feed has this moment, and the slower the machine, the longer it is: a
 *   call that begins before the record counts as none of the new window for the ledger, and as one of it for WeChat;
 * - WeChat took a message twice, because the worker of the first call died before it could record it.
 *
 * Each costs one message one call. Within ten seconds of the action that message is called again, three times at most, because WeChat may
 * not have heard of it yet; these calls are counted apart.
 */

import type { SendEntry } from '@wechat-outbox/fake-wechat'
import { appPrefix, type RedisClient, SEND_QUEUE } from '@wechat-outbox/outbox/engine'
import { APP, type System } from './system.ts'

/** What a feed of actions does wrong, and what WeChat does on its own. */
export const SURPRISES = ['lost', 'twice', 'late', 'early', 'closed'] as const
export type Surprise = (typeof SURPRISES)[number]

/** What a user did; times in epoch milliseconds. */
export interface Acted {
  readonly touser: string
  readonly surprise: Surprise | undefined
  /** WeChat did not know of it before. */
  readonly knownAt: number
  /** By Redis’s clock when the latest action of the person was recorded, as it stood after the outbox was told of this one. */
  recordedAt: number
}

export interface WindowsVerdict {
  readonly surprises: Readonly<Record<Surprise, number>>
  /** Calls that WeChat answered with 45015 or 45047, … */
  readonly refused: number
  /** … without those that came again after a refusal, although nothing was recorded meanwhile, … */
  readonly refusedFirst: number
  /** … and those of them for which nothing of what happened to their person is a reason, each with all of that. */
  readonly unexplained: readonly string[]
  /** How often at most a message was refused in a row without anything that was recorded. */
  readonly inRowMax: number
  readonly outOfOrder: number
  readonly delivered: number
  readonly doubles: number
}

interface Judged {
  readonly fake: System['fake']
  readonly redis: RedisClient
}

export async function judgeWindows(
  { fake, redis }: Judged,
  run: { mark: string; acted: readonly Acted[] },
): Promise<WindowsVerdict> {
  const sends = (await fake.sends()).filter(({ rawBody }) => rawBody.includes(run.mark))
  const calls = await readCalls(redis)
  const people = [...Map.groupBy(sends, ({ touser }) => touser)].map(([touser, of]) =>
    judgePerson(
      of,
      run.acted.filter((one) => one.touser === touser),
      calls,
    ),
  )
  const sum = (count: (person: Person) => number): number => people.reduce((total, person) => total + count(person), 0)
  const count = (surprise: Surprise): number => run.acted.filter((one) => one.surprise === surprise).length
  return {
    surprises: {
      lost: count('lost'),
      twice: count('twice'),
      late: count('late'),
      early: count('early'),
      closed: count('closed'),
    },
    refused: sum((person) => person.refused),
    refusedFirst: sum((person) => person.refusedFirst),
    unexplained: people.flatMap((person) => (person.refusedFirst > person.reasons ? [person.story] : [])),
    inRowMax: Math.max(...people.map(({ inRowMax }) => inRowMax)),
    outOfOrder: people.filter(({ isInOrder }) => !isInOrder).length,
    delivered: sum((person) => person.delivered),
    doubles: sum((person) => person.doubles),
  }
}

type Person = ReturnType<typeof judgePerson>

/** By the text of each delivered message, when its call began at the earliest. */
export type Calls = ReadonlyMap<string, number>

export function judgePerson(sends: readonly SendEntry[], acted: readonly Acted[], calls: Calls) {
  const taken = sends.filter(({ accepted }) => accepted).map(contentOf)
  const firsts = [...new Set(taken)]
  const doubles = taken.length - firsts.length
  const surprising = acted.filter(({ surprise }) => surprise === 'early' || surprise === 'closed').length
  return {
    ...countRefusals(sends, acted),
    reasons: surprising + doubles + countOverlaps(sends, acted, calls) + (isRefusedUntold(sends, acted) ? 1 : 0),
    doubles,
    delivered: firsts.length,
    isInOrder: firsts.join() === firsts.toSorted().join(),
    story: storyOf(sends, acted, calls),
  }
}

export const contentOf = ({ rawBody }: { rawBody: string }): string => /"content":"([^"]*)"/.exec(rawBody)?.[1] ?? ''

export const isRefused = ({ errcode }: SendEntry): boolean => errcode === 45015 || errcode === 45047

function countRefusals(sends: readonly SendEntry[], acted: readonly Acted[]) {
  const count = { refused: 0, refusedFirst: 0, inRowMax: 0 }
  let inRow = 0
  for (const [n, send] of sends.entries()) {
    if (!isRefused(send)) continue
    const before = sends[n - 1]
    const isAgain =
      before !== undefined &&
      isRefused(before) &&
      contentOf(before) === contentOf(send) &&
      !acted.some(({ recordedAt }) => recordedAt >= before.at && recordedAt <= send.at)
    inRow = isAgain ? inRow + 1 : 1
    count.refused += 1
    if (!isAgain) count.refusedFirst += 1
    count.inRowMax = Math.max(count.inRowMax, inRow)
  }
  return count
}

/** Actions between which and their record a call was open that WeChat took. */
function countOverlaps(sends: readonly SendEntry[], acted: readonly Acted[], calls: Calls): number {
  const isOverlapped = ({ knownAt, recordedAt }: Acted): boolean =>
    sends.some((send) => send.accepted && send.at >= knownAt && (calls.get(contentOf(send)) ?? 0) < recordedAt)
  return acted.filter((one) => one.surprise !== 'early' && isOverlapped(one)).length
}

function isRefusedUntold(sends: readonly SendEntry[], acted: readonly Acted[]): boolean {
  const refused = sends.find(isRefused)
  // Counted among the surprises.
  if (refused === undefined || acted[0]?.surprise === 'closed') return false
  const recorded = acted.map(({ recordedAt }) => recordedAt).filter((at) => at > 0)
  return refused.at < Math.min(...recorded)
}

function storyOf(sends: readonly SendEntry[], acted: readonly Acted[], calls: Calls): string {
  const lines = [
    ...acted.map(({ knownAt, surprise = '', recordedAt }) => ({
      at: knownAt,
      what: `acts ${surprise}, recorded ${recordedAt}`,
    })),
    ...sends.map((send) => ({
      at: send.at,
      what: `${contentOf(send)}, called ${calls.get(contentOf(send))}: ${send.errcode}`,
    })),
  ]
  return lines
    .toSorted((one, other) => one.at - other.at)
    .map(({ at, what }) => `${at} ${what}`)
    .join('\n')
}

const JOBS = `${appPrefix(APP)}:${SEND_QUEUE}`

/** When the run of each delivered message began, by Redis’s clock; its call did not begin earlier. */
export async function readCalls(redis: RedisClient): Promise<Calls> {
  const ids = await redis.zrange(`${JOBS}:completed`, '0', '-1')
  const read = ids.map(async (id): Promise<[string, number]> => {
    const [data, processedOn] = await redis.hmget(`${JOBS}:${id}`, 'data', 'processedOn')
    return [contentOf({ rawBody: data ?? '' }), Number(processedOn)]
  })
  return new Map(await Promise.all(read))
}

/** Without a record: never. */
export async function readRecordedAt(redis: RedisClient, touser: string): Promise<number> {
  return Number((await redis.hget(`${appPrefix(APP)}:window:${touser}`, 'recorded')) ?? 0)
}
