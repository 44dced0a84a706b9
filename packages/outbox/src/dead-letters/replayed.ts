/**
 * The message that a dead letter is replayed as, and the way back: what a replay changes is remembered beside the new message, so
 * that a task can be taken back and the letter is what it was.
 */
import { type DeadLetter, EARLIER_REASONS_MAX, type JobData } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'

/**
 * The message as it was, now, with a budget of its own. Its time to be sent has come, and a limit that has already passed
 * is overruled by whoever replays it.
 */
export function replayedData(id: string, letter: DeadLetter, at: { message: JobData; now: number }): JobData {
  const { sendAt: _sendAt, expiresAt, earlierReasons = [], ...rest } = at.message
  const { errcode, name } = letter.reason
  const reason = errcode === null ? name : `${errcode} ${name}`
  return {
    ...rest,
    ...(expiresAt !== undefined && expiresAt > at.now ? { expiresAt } : {}),
    replayOf: id,
    earlierReasons: [reason, ...earlierReasons].slice(0, EARLIER_REASONS_MAX),
  }
}

/** What a letter holds beside its message, and what its message held that a replay changes. Never content. */
interface Memory {
  readonly letter: Omit<DeadLetter, 'message'>
  readonly message: Pick<JobData, 'sendAt' | 'expiresAt' | 'replayOf' | 'earlierReasons'>
  /** The digest of the idempotency key. */
  readonly idem: string | undefined
}

/** What the message remembers of the letter that it is the replay of, as JSON. */
export function memoryOf({ message, ...letter }: DeadLetter, idem: string | undefined): string {
  const { sendAt, expiresAt, replayOf, earlierReasons } = message as Partial<JobData>
  const memory: Memory = { letter, message: { sendAt, expiresAt, replayOf, earlierReasons } as Memory['message'], idem }
  return JSON.stringify(memory)
}

/** The letter that a replay was made of, and its idempotency digest; undefined where the message remembers none. */
export function letterBefore(
  replay: unknown,
  memory: string | undefined | null,
): { letter: DeadLetter; idem: string | undefined } | undefined {
  const { letter, message, idem } = (parseJson(memory) ?? {}) as Partial<Memory>
  if (letter === undefined || typeof replay !== 'object' || replay === null) return undefined
  const { replayOf: _of, earlierReasons: _reasons, expiresAt: _expiry, ...rest } = replay as JobData
  const { v, messageId, ...of } = letter
  return { letter: { v, messageId, message: { ...rest, ...message }, ...of }, idem }
}
