/**
 * One form of times in answers: ISO 8601 in UTC. The outbox counts in epoch milliseconds, and what it stored is written here as people
 * and other languages read it.
 */
import type { StatusReport } from '@wechat-outbox/messages'
import type { ListedDeadLetter, Task } from '@wechat-outbox/outbox/engine'

/** What other programs have written may be no time: it is returned as it stands. */
function iso(at: unknown): unknown {
  const time = typeof at === 'number' ? new Date(at) : undefined
  return time === undefined || Number.isNaN(time.getTime()) ? at : time.toISOString()
}

/** An object whose fields of these names, where there are any, are written as times; what is none stays. */
function withTimes(given: unknown, names: readonly string[]): unknown {
  if (typeof given !== 'object' || given === null) return given
  const times = Object.entries(given).flatMap(([name, at]) => (names.includes(name) ? [[name, iso(at)] as const] : []))
  return { ...given, ...Object.fromEntries(times) }
}

const attemptsOf = (attempts: unknown): unknown =>
  Array.isArray(attempts) ? attempts.map((attempt) => withTimes(attempt, ['at'])) : attempts

export function shownReport(report: StatusReport): object {
  return { ...report, attempts: attemptsOf(report.attempts) }
}

export function shownLetter(letter: ListedDeadLetter): object {
  const { message, attempts, acceptedAt, deadAt } = letter
  return {
    ...letter,
    message: withTimes(message, ['sendAt', 'expiresAt']),
    attempts: attemptsOf(attempts),
    acceptedAt: iso(acceptedAt),
    deadAt: iso(deadAt),
  }
}

export function shownTask(task: Task): object {
  return { ...task, filter: withTimes(task.filter, ['since', 'until', 'acceptedSince', 'acceptedUntil']) }
}
