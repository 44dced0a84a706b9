/**
 * What an app's receiver of callbacks is told, in the form of Standard Webhooks (https://www.standardwebhooks.com): the body of a call is
 * `{type, timestamp, data}`. It never holds what was written to a person.
 */
import { type DeadLetter, recipientOf } from './dead-letter.ts'
import { deadLetterIdOf } from './ids.ts'
import type { JobData } from './job-data.ts'

export const CALLBACK_TYPES = [
  'message.delivered',
  'message.dead',
  'message.expired-waiting',
  'app.suspended',
  'app.resumed',
] as const

export type CallbackType = (typeof CALLBACK_TYPES)[number]

/** `data` of the events of a message. */
export interface MessageEvent {
  readonly id: string
  readonly appid: string
  readonly touser?: string | undefined
  readonly msgtype?: string | undefined
  readonly status: 'delivered' | 'dead'
  /** WeChat's code, where there was one: of a message that died. */
  readonly errcode?: number | undefined
  /** Why it died, by the name that `docs/errcodes.md` explains. */
  readonly reason?: string | undefined
  /** How many attempts were made. */
  readonly attempts: number
  readonly metadata?: JobData['metadata'] | undefined
  readonly replayOf?: string | undefined
  /** Under which it can be replayed. */
  readonly deadLetter?: string | undefined
}

/** `data` of the events of an app. */
export interface AppEvent {
  readonly appid: string
  readonly status: 'suspended' | 'active'
  readonly errcode?: number | undefined
  readonly reason?: string | undefined
}

/** The body of a call. */
export interface CallbackBody {
  readonly type: CallbackType
  /** When it became true; ISO 8601. */
  readonly timestamp: string
  readonly data: MessageEvent | AppEvent
}

export function deliveredEvent(
  message: { readonly id: string; readonly appid: string; readonly data: JobData },
  attempts: number,
): MessageEvent {
  const { id, appid, data } = message
  const { touser, msgtype, metadata, replayOf } = data
  return { id, appid, touser, msgtype, status: 'delivered', attempts, metadata, replayOf }
}

export function deadEvent(appid: string, letter: DeadLetter): MessageEvent {
  const { messageId: id, message, reason, attempts } = letter
  const read = 'unreadable' in message ? undefined : message
  return {
    id,
    appid,
    touser: recipientOf(letter),
    msgtype: read?.msgtype,
    status: 'dead',
    errcode: reason.errcode ?? undefined,
    reason: reason.name,
    attempts: attempts.length,
    metadata: read?.metadata,
    replayOf: read?.replayOf,
    deadLetter: deadLetterIdOf(id),
  }
}
