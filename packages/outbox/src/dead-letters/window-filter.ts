/**
 * The reply windows of dead letters' people. A letter does not show whether WeChat would take it now: that stands in the ledger, so it is
 * read for the people of a whole page at once, wherever letters are found.
 */
import { type DeadLetter, recipientOf, type WindowState } from '@wechat-outbox/messages'
import type { Store } from '../redis/store.ts'
import { readWindowStates } from '../windows/ledger.ts'

export interface JudgedPage {
  /** The states that are meant; undefined: whatever it is. */
  readonly window: readonly WindowState[] | undefined
  readonly letters: readonly (DeadLetter | null)[]
}

/**
 * Reads the windows of a page's people. The answer has for each of these letters whether its window is as it is meant to be; one whose
 * recipient nobody can read is `unknown`.
 */
export async function judgeWindows(
  store: Store,
  appid: string,
  { window, letters }: JudgedPage,
): Promise<(letter: DeadLetter | null) => boolean> {
  if (window === undefined) return () => true
  const people = [...new Set(letters.flatMap((letter) => personIn(letter) ?? []))]
  const states = await readWindowStates(store, appid, people)
  const known = new Map(people.map((person, n) => [person, states[n]]))
  return (letter) => window.includes(known.get(personIn(letter) ?? '') ?? 'unknown')
}

const personIn = (letter: DeadLetter | null): string | undefined => (letter === null ? undefined : recipientOf(letter))
