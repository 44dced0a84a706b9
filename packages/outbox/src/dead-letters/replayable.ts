/**
 * Which dead letters cannot be replayed, and why: what nobody can read, and what has lost its content because it is older than
 * `RETAIN_DEAD_CONTENT_DAYS`. A request for their replay is refused for this reason.
 */
import { type DeadLetter, isContentRemoved, reasonLine } from '@wechat-outbox/messages'
import { wholeLetterIn } from './letter.ts'

export type NotReplayable = 'unreadable' | 'content-removed'

/** Undefined where its message can be sent again, as far as that is known without reading all of it. */
export function whyNotReplayable(data: unknown): NotReplayable | undefined {
  const letter = wholeLetterIn(data)
  if (letter === null) return 'unreadable'
  if (isContentRemoved(letter)) return 'content-removed'
  return 'unreadable' in letter.message ? 'unreadable' : undefined
}

const TEXTS: Readonly<Record<NotReplayable, string>> = {
  unreadable: 'it holds no message that can be sent',
  'content-removed': 'not-replayable: its content was removed',
}

/** For the log, and for whoever looks at the letter's job. */
export const notReplayableText = (why: NotReplayable): string => TEXTS[why]

/** What the job of a letter says whose replay was asked for in vain; it begins as ever. */
export function refusedReasonLine(letter: DeadLetter): string {
  const line = reasonLine(letter.reason)
  if (!isContentRemoved(letter)) return line
  return `${line}${line.includes(': ') ? ' ' : ': '}(${TEXTS['content-removed']})`
}
