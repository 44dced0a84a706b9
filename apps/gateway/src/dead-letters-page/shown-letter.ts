/**
 * A dead letter as the page shows it. Unless content may be shown, it is what the dashboard's mask leaves of it, and the metadata: that is
 * the producer's own, and log lines, callbacks and `status` repeat it. A job may have been added by anybody and hold anything.
 */
import { isContentRemoved } from '@wechat-outbox/messages'
import { type ListedDeadLetter, type NotReplayable, whyNotReplayable } from '@wechat-outbox/outbox/engine'
import { maskDeadLetter } from '../mask.ts'
import type { Language } from './language.ts'

export interface ShownAttempt {
  readonly at: number | undefined
  readonly outcome: string
  readonly answer: string
  readonly rid: string | undefined
  readonly ms: number | undefined
}

export interface ShownLetter {
  readonly id: string
  readonly person: string
  /** The openid, where it is not masked. */
  readonly openid: string | undefined
  readonly msgtype: string
  /** `45015 reply-window-closed`. */
  readonly reason: string
  /** The text under which its reason is counted and searched for. */
  readonly reasonKey: string | undefined
  readonly meaning: string
  readonly errmsg: string
  readonly rid: string | undefined
  readonly source: string
  readonly messageId: string
  readonly acceptedAt: number | undefined
  readonly deadAt: number | undefined
  readonly replayOf: string | undefined
  readonly earlierReasons: readonly string[]
  readonly attempts: readonly ShownAttempt[]
  /** Undefined where it can be replayed. */
  readonly notReplayable: NotReplayable | undefined
  readonly metadata: string | undefined
  /** Undefined while it is hidden, and where it was removed. */
  readonly content: string | undefined
}

type Fields = Readonly<Record<string, unknown>>

const SHOWN_CHARS_MAX = 20_000

export function shownLetter(
  { id, ...letter }: ListedDeadLetter,
  { showContent, language }: { showContent: boolean; language: Language },
): ShownLetter {
  const data = fields(showContent ? letter : maskDeadLetter(letter))
  const message = fields(data['message'])
  const reason = fields(data['reason'])
  const errcode = count(reason['errcode'])
  const name = text(reason['name'])
  const stored = fields(letter.message)
  return {
    id,
    person: text(message['touser']),
    openid: showContent ? text(message['touser']) : undefined,
    msgtype: text(message['msgtype']),
    reason: [errcode, name].filter((part) => part !== undefined && part !== '').join(' '),
    reasonKey: errcode === undefined ? name || undefined : String(errcode),
    meaning: text(fields(reason['meaning'])[language]),
    errmsg: text(reason['errmsg']),
    rid: text(reason['rid']) || undefined,
    source: text(reason['source']),
    messageId: text(data['messageId']),
    acceptedAt: count(data['acceptedAt']),
    deadAt: count(data['deadAt']),
    replayOf: text(message['replayOf']) || undefined,
    earlierReasons: list(message['earlierReasons']).map(text),
    attempts: list(data['attempts']).map(fields).map(shownAttempt),
    notReplayable: whyNotReplayable(letter),
    metadata: stored['metadata'] === undefined ? undefined : json(stored['metadata']),
    content: showContent && !isContentRemoved(letter) ? contentOf(stored) : undefined,
  }
}

function shownAttempt(attempt: Fields): ShownAttempt {
  const answer = [count(attempt['errcode']), text(attempt['errmsg'])]
  return {
    at: count(attempt['at']),
    outcome: text(attempt['outcome']),
    answer: answer.filter((part) => part !== undefined && part !== '').join(' '),
    rid: text(attempt['rid']) || undefined,
    ms: count(attempt['ms']),
  }
}

/** The text of a message as it reads, the rest as JSON. */
function contentOf(message: Fields): string {
  if ('unreadable' in message) return json(message['unreadable'])
  const { content } = fields(message['text'])
  if (message['msgtype'] === 'text' && typeof content === 'string') return content.slice(0, SHOWN_CHARS_MAX)
  return json(message[text(message['msgtype'])])
}

const json = (value: unknown): string => (JSON.stringify(value, null, 2) ?? '').slice(0, SHOWN_CHARS_MAX)

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value.slice(0, 100) : [])
const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 1000) : '')
const count = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined
