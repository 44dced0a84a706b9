/**
 * The errors that callers of the outbox meet, and the one place where an error of Redis or BullMQ becomes one of them.
 * A client's error may carry the command it failed on, and with it a message's content: only its text goes further.
 */
import { countProblems, limitProblems, type Problem } from '@wechat-outbox/messages'

/**
 * WXO_INVALID      the request is refused; `issues` names every problem with its path. Repeating it is pointless
 * WXO_CONFLICT     the idempotency key was used for another request
 * WXO_UNAVAILABLE  Redis did not answer. The message may or may not be stored: repeat with the same idempotencyKey
 * WXO_FULL         Redis is near its memory limit and takes no new messages
 * WXO_WINDOW_CLOSED  the reply window of the recipient is known to be closed, and the message's `onClosed` is `refuse`
 * WXO_CLOSED       the Outbox has been closed by its own process
 * WXO_CONFIG       the outbox was set up wrongly; of the options of an Outbox `issues` names every one that cannot be meant
 */
export type OutboxErrorCode =
  | 'WXO_INVALID'
  | 'WXO_CONFLICT'
  | 'WXO_UNAVAILABLE'
  | 'WXO_FULL'
  | 'WXO_WINDOW_CLOSED'
  | 'WXO_CLOSED'
  | 'WXO_CONFIG'

/**
 * @example
 * if (error instanceof OutboxError && error.code === 'WXO_INVALID') console.error(error.issues) // [{ path, message }]
 */
export class OutboxError extends Error {
  override readonly name = 'OutboxError'
  readonly code: OutboxErrorCode
  readonly issues: readonly Problem[]

  constructor(code: OutboxErrorCode, message: string, options: { issues?: readonly Problem[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: cleanError(options.cause) })
    this.code = code
    this.issues = options.issues ?? []
  }
}

/** The problems in one error, at most `PROBLEMS_MAX`, and the first few of them in its message. */
export function invalid(found: readonly Problem[]): OutboxError {
  return problematic('WXO_INVALID', 'the message is refused', { found, whole: 'request' })
}

/** The same of options that somebody has written. */
export function misconfigured(found: readonly Problem[]): OutboxError {
  return problematic('WXO_CONFIG', 'the Outbox cannot be made', { found, whole: 'options' })
}

function problematic(
  code: OutboxErrorCode,
  what: string,
  { found, whole }: { found: readonly Problem[]; whole: string },
): OutboxError {
  const issues = limitProblems(found)
  const shown = issues.slice(0, 5).map(({ path, message }) => `${path || whole} ${message}`)
  const more = issues.length > 5 ? `, and ${countProblems(issues) - 5} more` : ''
  return new OutboxError(code, `${what}: ${shown.join('; ')}${more}`, { issues })
}

/** What Redis says when it has reached `maxmemory`, alone or as the reason why a transaction was refused. */
const outOfMemory = /\bOOM\b|used memory > 'maxmemory'/

export function storeError(error: unknown): OutboxError {
  if (error instanceof OutboxError) return error
  const text = messageOf(error)
  return outOfMemory.test(text) || outOfMemory.test(previousErrorsOf(error))
    ? new OutboxError('WXO_FULL', 'Redis has reached its memory limit and takes no new messages', { cause: error })
    : new OutboxError('WXO_UNAVAILABLE', 'Redis is not available', { cause: error })
}

/** Whether Redis was reached and answered with an error. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Whether Redis says that another program has put something else under a key. It says so of that key alone. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.includes('WRONGTYPE')
}

const SPOILT_NAMED_MAX = 5

/** Those of many whose keys another program has spoilt. */
export interface Spoilt {
  add(what: string, why: string): void
  /** What `catch` takes of the one with this id. @throws any other error */
  note(id: string): (error: unknown) => undefined
  /** @throws where any was noted, with the first few */
  throwNoted(): void
}

/** The others are seen to, and then it is told of these. */
export function collectSpoilt(): Spoilt {
  const noted: string[] = []
  const add = (what: string, why: string): void => void noted.push(`${what}: ${why}`)
  return {
    add,
    note: (id) => (error) => {
      if (!isWrongType(error)) throw error
      add(id, messageOf(error))
      return undefined
    },
    throwNoted() {
      if (noted.length > 0)
        throw new Error(`${noted.length} passed over: ${noted.slice(0, SPOILT_NAMED_MAX).join('; ')}`)
    },
  }
}

/** A refused transaction lists why under `previousErrors`. */
function previousErrorsOf(error: unknown): string {
  const previous = error instanceof Error && 'previousErrors' in error ? error.previousErrors : []
  return Array.isArray(previous) ? previous.map(messageOf).join(' ') : ''
}

/** An error with the text and the code of another and nothing else: no command, no arguments, no connection options. */
export function cleanError(error: unknown): Error {
  const clean = new Error(messageOf(error))
  clean.stack = `Error: ${clean.message}`
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    Object.assign(clean, { code: error.code })
  return clean
}

/** The text of an error without any URL's credentials or query. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text
    .replaceAll(/([a-z+]+:\/\/)[^@/\s]*@/gi, '$1***@')
    .replaceAll(/[^\s'"]+/g, withoutQuery)
    .slice(0, 500)
}

/**
 * The same for whoever operates the outbox: "not available" alone does not distinguish a missing right or replica from a lost
 * connection.
 */
export function messageWithCause(error: unknown): string {
  const isBare = error instanceof OutboxError && error.code === 'WXO_UNAVAILABLE' && !error.message.includes(':')
  return isBare && error.cause instanceof Error ? `${messageOf(error)}: ${messageOf(error.cause)}` : messageOf(error)
}

/** What to do about a key that belongs to another message. */
export const NEW_KEY = 'take a new key for a new message; a key repeats only with the same body'

/** A question mark is the beginning of a query behind a path, or before a name and its value; elsewhere it ends a question. */
function withoutQuery(word: string): string {
  const at = word.indexOf('?')
  if (at < 0) return word
  const slash = word.indexOf('/')
  const isBehindPath = slash >= 0 && slash < at && /[\p{L}\p{N}]/u.test(word.slice(at))
  return isBehindPath ? `${word.slice(0, at)}?***` : word.replace(/\?[\w%.~-]+=.*/, '?***')
}
