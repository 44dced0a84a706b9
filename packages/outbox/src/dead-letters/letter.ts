/** A dead letter: what is written of a message that died, and the lists that it stands in. */
import {
  type DeadLetter,
  deadLetterIdOf,
  isContentRemoved,
  type Reason,
  readJobData,
  reasonKeyOf,
  reasonLine,
  recipientOf,
} from '@wechat-outbox/messages'
import { attemptsOf, isTime, type JobHash, recipientIn } from '../bullmq/job-hash.ts'
import type { AppKeys } from '../redis/keys.ts'

export function letterOf(
  id: string,
  job: Pick<JobHash, 'data' | 'timestamp' | 'history'>,
  end: { reason: Reason; deadAt: number },
): DeadLetter {
  const read = readJobData(job.data)
  return {
    v: 1,
    messageId: id,
    message: read.kind === 'ok' ? read.data : { unreadable: job.data ?? null },
    reason: end.reason,
    attempts: attemptsOf(job.history),
    acceptedAt: job.timestamp,
    deadAt: end.deadAt,
  }
}

/** What the scripts take to bury a letter, and the recipient in whose lane its message may stand, whoever wrote it. */
export function partsOf(keys: AppKeys, letter: DeadLetter) {
  const { reason, deadAt, acceptedAt } = letter
  const touser = personOf(letter)
  const more = { reason: reasonLine(reason), deadAt, acceptedAt, indexes: indexesOf(keys, letter) }
  return { touser, dead: { letterId: deadLetterIdOf(letter.messageId), letter: JSON.stringify(letter), more } }
}

/** What stands in a dead letter's job, if it can be told what it is about: one that another program has added may hold anything. */
export function letterIn(data: unknown): DeadLetter | null {
  const letter = data as Partial<DeadLetter> | null | undefined
  const isLetter =
    typeof letter?.reason === 'object' &&
    letter.reason !== null &&
    typeof letter.message === 'object' &&
    letter.message !== null
  return isLetter ? (letter as DeadLetter) : null
}

/**
 * The same, if it is a letter from which a replay, a report and its lists can be made. When its message was accepted may be anything: whoever
 * added the message has said so.
 */
export function wholeLetterIn(data: unknown): DeadLetter | null {
  const letter = letterIn(data)
  if (letter === null) return null
  const { messageId, reason, attempts, deadAt } = letter
  const isReason =
    typeof reason.name === 'string' &&
    typeof (reason.errmsg ?? '') === 'string' &&
    typeof (reason.errcode ?? 0) === 'number'
  const isWhole = typeof messageId === 'string' && isReason && Array.isArray(attempts)
  return isWhole && isTime(deadAt) ? letter : null
}

/** Whom a letter's message is for, whoever wrote it; undefined where nobody can tell. */
export function personOf(letter: Partial<DeadLetter> | null | undefined): string | undefined {
  const { message } = letter ?? {}
  const isUnreadable = typeof message === 'object' && message !== null && 'unreadable' in message
  return recipientIn(isUnreadable ? message.unreadable : message)
}

/** The sorted sets that list a dead letter: one for each filter, so that no list has to look at what it leaves out. */
export function indexesOf(keys: AppKeys, letter: DeadLetter): string[] {
  const reason = reasonKeyOf(letter.reason)
  const touser = recipientOf(letter)
  const ofPerson = touser === undefined ? [] : [keys.deadByPerson(touser), keys.deadByPersonAndReason(touser, reason)]
  const withoutContent = isContentRemoved(letter) ? [keys.deadWithoutContent] : []
  return [keys.deadByTime, keys.deadByReason(reason), ...ofPerson, ...withoutContent]
}
