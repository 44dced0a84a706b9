/**
 * Is it the token, or is it WeChat? New tokens are refused until they are some tenths of a second old, and good ones now and then.
 * Whoever replaces a token for that ends a good one, and gets one that is new and refused again. So a refused token is used once
 * more wherever there is a reason to expect success; a token that is dead costs a few refused calls more, and those cost no message a try.
 */
import type { Standing } from './token-cache.ts'

export interface RefusedCall {
  /** When the call began, by `performance.now()`. */
  readonly startedAt: number
  /** Calls of this run that were refused with this token, one after the other, this one included. */
  readonly inARow: number
}

export interface Evidence {
  readonly call: RefusedCall
  /** When WeChat has last taken a call of this process with this token. */
  readonly acceptedAt: number | undefined
  readonly standing: Standing
  /** The source can be asked without ending the token. */
  readonly canRepeat: boolean
  readonly now: number
}

/** What nobody has seen accepted yet is tried again at these ages, in ms; after the first its source is asked, where that is free. */
const YOUNG_AGES_MS = [200, 600, 1200, 2000, 3000]
/** For so long the source's answer that a token is the current one is trusted. */
export const WORD_HOLDS_MS = 60_000
export const STRAYS_MAX = 3
const SECOND_STRAY_PAUSE_MS = 200

export const isYoung = (ageMs: number): boolean => ageMs < (YOUNG_AGES_MS.at(-1) ?? 0)

/** `again`: use it once more, after a pause of this process or of this message alone. `ask`: its source has to say what is current. */
export type Doubt =
  | { readonly action: 'again'; readonly pauseMs: number; readonly everybody: boolean }
  | { readonly action: 'ask' }

export function doubt({ call, acceptedAt, standing, canRepeat, now }: Evidence): Doubt {
  const { startedAt, inARow } = call
  const { ageMs, repeats, repeatedMsAgo } = standing
  // Another call was taken while this one was refused.
  if (acceptedAt !== undefined && acceptedAt > startedAt && inARow <= STRAYS_MAX) return again(0)
  if (acceptedAt === undefined) {
    const nextMs = YOUNG_AGES_MS.find((age) => age > ageMs)
    const isToBeAsked = canRepeat && repeatedMsAgo === undefined && nextMs !== YOUNG_AGES_MS[0]
    if (nextMs !== undefined && !isToBeAsked) return { action: 'again', pauseMs: nextMs - ageMs, everybody: true }
  }
  const word = repeatedMsAgo !== undefined && repeatedMsAgo < WORD_HOLDS_MS && repeats <= 1
  // The classic endpoint has no word to give: there a token that was taken before gets the same chance.
  const vouched = canRepeat ? word : acceptedAt !== undefined && now - acceptedAt < WORD_HOLDS_MS
  if (vouched && inARow < STRAYS_MAX) return again(inARow > 1 ? SECOND_STRAY_PAUSE_MS : 0)
  return { action: 'ask' }
}

function again(pauseMs: number): Doubt {
  return { action: 'again', pauseMs, everybody: false }
}
