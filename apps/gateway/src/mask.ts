/**
 * What the dashboard shows of a message: everything that helps to understand its fate – reasons, attempts, times – and
 * nothing that was written to a person. It shows what it knows and hides the rest, because job data may be anybody's: a
 * newer version's, or added by hand.
 */
import { isDeadLetterId, MSGTYPES } from '@wechat-outbox/messages'

const DEPTH_MAX = 6
const ENTRIES_MAX = 100

type Fields = Readonly<Record<string, unknown>>
type Test = (value: unknown) => boolean

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isNumber: Test = (value) => typeof value === 'number'
const matches =
  (pattern: RegExp): Test =>
  (value) =>
    typeof value === 'string' && pattern.test(value)
const isId = matches(/^m-[0-9A-Za-z-]{1,70}$/)
const isWord = matches(/^[\w-]{1,80}$/)
const isMsgtype: Test = (value) => MSGTYPES.some((msgtype) => msgtype === value)
const isPart: Test = (value) =>
  isObject(value) &&
  Object.keys(value).length === 3 &&
  isNumber(value['n']) &&
  isNumber(value['of']) &&
  isId(value['first'])
const isReasonList: Test = (value) => Array.isArray(value) && value.every(matches(/^[\w -]{1,200}$/))

/** The fields of a message that hold none of its content, and what they must look like to be shown. */
const shown: Readonly<Record<string, Test>> = {
  v: isNumber,
  msgtype: isMsgtype,
  sendAt: isNumber,
  expiresAt: isNumber,
  ifUnsure: matches(/^(?:resend|dead-letter)$/),
  traceparent: matches(/^[0-9a-f-]{55}$/),
  replayOf: (value) => typeof value === 'string' && isDeadLetterId(value),
  earlierReasons: isReasonList,
  part: isPart,
}

/** A value with its structure and without its content. */
function hide(value: unknown, depth = 0): unknown {
  if (value === null || value === undefined) return value
  if (typeof value === 'string') return `••• (${value.length} characters)`
  if (typeof value !== 'object' || depth === DEPTH_MAX) return '•••'
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((entry) => hide(entry, depth + 1))
  return mapFields(value as Fields, (_name, entry) => hide(entry, depth + 1))
}

function mapFields(fields: Fields, map: (name: string, value: unknown) => unknown): Fields {
  const entries = Object.entries(fields).slice(0, ENTRIES_MAX)
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(0, 64), map(name, value)]))
}

/** `oABC…wxyz`: enough to recognise somebody whose openid one has, not enough to write to them. */
export function maskOpenid(openid: unknown): unknown {
  if (typeof openid !== 'string') return hide(openid)
  return openid.length < 12 ? '•••' : `${openid.slice(0, 4)}…${openid.slice(-4)}`
}

/** The data of a job in the queue `send`. */
export function maskMessage(data: unknown): unknown {
  if (!isObject(data)) return hide(data)
  return mapFields(data, (name, value) => {
    if (name === 'touser') return maskOpenid(value)
    return Object.hasOwn(shown, name) && shown[name]?.(value) ? value : hide(value)
  })
}

/** The data of a job in the queue `dead-letter`. */
export function maskDeadLetter(data: unknown): unknown {
  if (!isObject(data)) return hide(data)
  return mapFields(data, (name, value) => {
    switch (name) {
      case 'v':
      case 'acceptedAt':
      case 'deadAt':
        return isNumber(value) ? value : hide(value)
      case 'messageId':
      case 'replayedAs':
        return isWord(value) ? value : hide(value)
      case 'message':
        return maskMessage(value)
      case 'reason':
        return maskReason(value)
      case 'attempts':
        return maskAttempts(value)
      default:
        return hide(value)
    }
  })
}

/** What a delivered job returns: its attempts. */
export function maskReturnValue(value: unknown): unknown {
  if (!isObject(value)) return hide(value)
  return mapFields(value, (name, entry) => (name === 'attempts' ? maskAttempts(entry) : hide(entry)))
}

const reasonFields = new Set(['errcode', 'name', 'errmsg', 'rid', 'meaning', 'source'])
const attemptFields = new Set(['at', 'outcome', 'ms', 'errcode', 'errmsg', 'rid'])

function maskReason(value: unknown): unknown {
  if (!isObject(value)) return hide(value)
  return mapFields(value, (name, entry) => (reasonFields.has(name) ? entry : hide(entry)))
}

function maskAttempts(value: unknown): unknown {
  if (!Array.isArray(value)) return hide(value)
  return value.slice(0, ENTRIES_MAX).map((attempt: unknown) => {
    if (!isObject(attempt)) return hide(attempt)
    return mapFields(attempt, (name, entry) =>
      attemptFields.has(name) && typeof entry !== 'object' ? entry : hide(entry),
    )
  })
}

/** A job's name is its msgtype; one that was added by hand may have any. */
export function shownName(name: unknown): string {
  return isWord(name) ? String(name) : '•••'
}

/** `text · 45015 reply-window-closed`: the reason stands where one looks first. */
export function deadLetterName(name: unknown, data: unknown): string {
  const reason = isObject(data) && isObject(data.reason) ? data.reason : {}
  const words = [reason.errcode, reason.name].filter((word) => isNumber(word) || isWord(word))
  return words.length === 0 ? shownName(name) : `${shownName(name)} · ${words.join(' ')}`
}
