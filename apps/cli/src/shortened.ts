/**
 * Openids as lists and the dashboard show them, `oABC…wxyz`, given back to `--to` and `--not-to`: whose they are is looked up among the
 * dead letters that the rest of the filter means. It has to be one person's; nothing is guessed.
 */
import { type DeadLetterFilter, recipientOf } from '@wechat-outbox/messages'
import type { Store } from '@wechat-outbox/outbox/engine'
import { CommandFailure } from './failure.ts'
import { type FilterOptions, readFilter, walkDeadLetters } from './filter.ts'

/** A begin and an end of an openid. Three dots are what a keyboard has. */
const SHORTENED = /^([\w-]{1,60})(?:…|\.{3})([\w-]{1,60})$/

export const isShortened = (openid: string): boolean => SHORTENED.test(openid)

/** Letters that are looked at. */
const LOOKED_AT_MAX = 100_000

/** What the options of a command choose: the filter, and beside it the openids that have to be looked up first. */
export interface Choice {
  readonly filter: DeadLetterFilter
  readonly shortTo: readonly string[]
  readonly shortNotTo: readonly string[]
}

/** @throws UsageError */
export function readChoice(options: FilterOptions, nowMs: number): Choice {
  const { to: allTo = [], notTo: allNotTo = [], ...others } = options
  const [to, notTo] = [allTo, allNotTo].map((openids) => openids.filter((openid) => !isShortened(openid)))
  const whole = { ...others, ...(to?.length ? { to } : {}), ...(notTo?.length ? { notTo } : {}) }
  return {
    filter: readFilter(whole, nowMs),
    shortTo: allTo.filter(isShortened),
    shortNotTo: allNotTo.filter(isShortened),
  }
}

/** The filter with whole openids. @throws CommandFailure where one stands for nobody, or may stand for several people */
export async function lengthen(store: Store, appid: string, choice: Choice): Promise<DeadLetterFilter> {
  const { filter, shortTo: to, shortNotTo: notTo } = choice
  const texts = [...new Set([...to, ...notTo])]
  if (texts.length === 0) return filter
  const found = new Map(texts.map((text) => [text, new Set<string>()]))
  // Whoever was named in full beside them is not the only one who is meant.
  const { touser: _to, notTouser: _notTo, limit: _limit, ...others } = filter
  const more = await walkDeadLetters(store, { appid, filter: others, max: LOOKED_AT_MAX }, (letter) => {
    const openid = recipientOf(letter) ?? ''
    for (const [text, people] of found) if (matches(text, openid)) people.add(openid)
  })
  const people = new Map(texts.map((text) => [text, onePerson(text, [...(found.get(text) ?? [])], more)]))
  const openids = (shorts: readonly string[], given: readonly string[] = []): string[] => [
    ...new Set([...given, ...shorts.map((text) => people.get(text) ?? text)]),
  ]
  return {
    ...filter,
    ...(to.length > 0 && { touser: openids(to, filter.touser) }),
    ...(notTo.length > 0 && { notTouser: openids(notTo, filter.notTouser) }),
  }
}

function matches(text: string, openid: string): boolean {
  const [, begin = '', end = ''] = SHORTENED.exec(text) ?? []
  return openid.length >= begin.length + end.length && openid.startsWith(begin) && openid.endsWith(end)
}

function onePerson(text: string, people: readonly string[], more: boolean): string {
  const [person] = people
  if (person === undefined) {
    const where = more ? `the newest ${LOOKED_AT_MAX} dead letters that are meant` : 'the dead letters that are meant'
    throw new CommandFailure(`${text} is nobody's openid among ${where}: give it in full`)
  }
  if (people.length === 1 && !more) return person
  const count = people.length === 1 ? 'one person' : `${people.length} people`
  const rest = more ? `, and there are more dead letters than the ${LOOKED_AT_MAX} that were looked at` : ''
  throw new CommandFailure(`${text} fits the openids of ${count}${rest}: give it in full (wxo dead ls --json has it)`)
}
