/**
 * What the dashboard shows of a message: everything that helps to understand what became of it – reasons, attempts, times – and
 * nothing that was written to a person. It shows what it knows and hides the rest, names included, because job data may be
 * anybody's: a newer version's, metadata, or added by hand.
 */
import { CALLBACK_TYPES, isDeadLetterId, isMessageId, MSGTYPES, ON_CLOSED, touserSchema } from '@wechat-outbox/messages'
import { HIDDEN, isRid, knownReason, maskErrmsg } from './mask-words.ts'

const ENTRIES_MAX = 100

type Fields = Readonly<Record<string, unknown>>
type Test = (value: unknown) => boolean
type Show = (value: unknown) => unknown

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const matches =
  (pattern: RegExp): Test =>
  (value) =>
    typeof value === 'string' && pattern.test(value)
const isId: Test = (value) => typeof value === 'string' && isMessageId(value)
const isLetterId: Test = (value) => typeof value === 'string' && isDeadLetterId(value)
const isMsgtype: Test = (value) => MSGTYPES.some((msgtype) => msgtype === value)
const isSmall: Test = (value) => Number.isInteger(value) && Math.abs(Number(value)) < 100
/** From 2001 to 2286: a number of the thirteen digits that the times of our days have. */
const isTime: Test = (value) => typeof value === 'number' && value >= 1e12 && value < 1e13
const isErrcode: Test = (value) => value === null || (Number.isInteger(value) && Math.abs(Number(value)) < 1e7)
const isMs: Test = (value) => typeof value === 'number' && value >= 0 && value < 1e7
const isReason: Test = (value) => {
  const [, name] = /^(?:-?\d{1,7} )?([a-z0-9-]{1,64})$/.exec(typeof value === 'string' ? value : '') ?? []
  return knownReason(name) !== undefined
}
const isReasonList: Test = (value) => Array.isArray(value) && value.every(isReason)
const OUTCOMES =
  /^(?:delivered|retry|token-refreshed|media-renewed|token-unavailable|not-sent|refused|unsure|throttled|suspended|waiting-for-user|dead)$/

/** As it is where it looks as it should, and hidden otherwise. */
const ifIs =
  (test: Test): Show =>
  (value) =>
    test(value) ? value : hide(value)

/** The fields that are shown, each in its way. Those that nobody knows are counted: even their names may be content. */
function maskFields(fields: Fields, shown: Readonly<Record<string, Show>>): Fields {
  const known = Object.entries(fields).filter(([name]) => Object.hasOwn(shown, name))
  const others = Object.keys(fields).length - known.length
  const entries = known.map(([name, value]) => [name, value === undefined ? value : shown[name]?.(value)])
  return Object.fromEntries(
    others === 0 ? entries : [...entries, [HIDDEN, others === 1 ? '1 field' : `${others} fields`]],
  )
}

const withFields =
  (shown: Readonly<Record<string, Show>>): Show =>
  (value) =>
    isObject(value) ? maskFields(value, shown) : hide(value)

/** A value without anything that it holds but its size. */
function hide(value: unknown): unknown {
  if (value === null || value === undefined) return value
  if (typeof value === 'string') return `${HIDDEN} (${value.length} characters)`
  if (Array.isArray(value)) return `${HIDDEN} (${value.length} entries)`
  return typeof value === 'object' ? `${HIDDEN} (${Object.keys(value).length} fields)` : HIDDEN
}

/** `oABC…wxyz`: enough to recognise somebody whose openid one has, not enough to write to them. */
export function maskOpenid(openid: unknown): unknown {
  if (typeof openid !== 'string') return hide(openid)
  return openid.length < 12 ? HIDDEN : `${openid.slice(0, 4)}…${openid.slice(-4)}`
}

const hidden = (...names: readonly string[]): Show =>
  withFields(Object.fromEntries(names.map((name) => [name, hide] as const)))

const MESSAGE: Readonly<Record<string, Show>> = {
  v: ifIs(isSmall),
  touser: maskOpenid,
  msgtype: ifIs(isMsgtype),
  text: hidden('content'),
  image: hidden('media_id', 'url'),
  link: hidden('title', 'description', 'url', 'thumb_url'),
  miniprogrampage: hidden('title', 'pagepath', 'thumb_media_id', 'thumb_url'),
  aimsgcontext: hidden('is_ai_msg'),
  customservice: hidden('kf_account'),
  businessid: hide,
  metadata: hide,
  sendAt: ifIs(isTime),
  expiresAt: ifIs(isTime),
  ifUnsure: ifIs(matches(/^(?:resend|dead-letter)$/)),
  onClosed: ifIs((value) => ON_CLOSED.some((known) => known === value)),
  traceparent: ifIs(matches(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)),
  replayOf: ifIs(isLetterId),
  earlierReasons: ifIs(isReasonList),
  contentRemoved: ifIs((value) => value === true),
  part: withFields({ n: ifIs(isSmall), of: ifIs(isSmall), first: ifIs(isId) }),
}

/** The data of a job in the queue `send`. */
export const maskMessage: Show = withFields(MESSAGE)

const maskText: Show = (value) => (typeof value === 'string' ? maskErrmsg(value) : hide(value))

/** A reason whose name is one of ours, with what that means in our words; stored ones may be anybody's. */
function maskReason(value: unknown): unknown {
  const known = isObject(value) ? knownReason(value['name']) : undefined
  if (!isObject(value) || known === undefined) return hide(value)
  const { meaning, source } = known
  const shown = { errcode: ifIs(isErrcode), name: (name: unknown) => name, errmsg: maskText, rid: ifIs(isRid) }
  return maskFields(value, { ...shown, meaning: () => meaning, source: () => source })
}

const maskAttempt = withFields({
  at: ifIs(isTime),
  outcome: ifIs(matches(OUTCOMES)),
  ms: ifIs(isMs),
  errcode: ifIs(isErrcode),
  errmsg: maskText,
  rid: ifIs(isRid),
})

const maskAttempts: Show = (value) =>
  Array.isArray(value) ? value.slice(0, ENTRIES_MAX).map(maskAttempt) : hide(value)

/** The data of a job in the queue `dead-letter`. */
export const maskDeadLetter: Show = withFields({
  v: ifIs(isSmall),
  acceptedAt: ifIs(isTime),
  deadAt: ifIs(isTime),
  messageId: ifIs(isId),
  replayedAs: ifIs(isId),
  message: (value) => (isObject(value) && 'unreadable' in value ? hide(value['unreadable']) : maskMessage(value)),
  reason: maskReason,
  attempts: maskAttempts,
})

/** The data of a job in the queue `callback`. */
export const maskCallback: Show = withFields({
  id: ifIs(isId),
  appid: ifIs(matches(/^wx[0-9a-f]{16}$/)),
  touser: maskOpenid,
  msgtype: ifIs(isMsgtype),
  status: ifIs(matches(/^(?:delivered|dead|suspended|active)$/)),
  errcode: ifIs(isErrcode),
  reason: ifIs((value) => knownReason(value) !== undefined),
  attempts: ifIs(isSmall),
  metadata: hide,
  replayOf: ifIs(isLetterId),
  deadLetter: ifIs(isLetterId),
})

/** What a delivered job returns: its attempts. */
export const maskReturnValue: Show = withFields({ attempts: maskAttempts })

/** A job's name is its msgtype; one that was added by hand may have any. */
function shownName(name: unknown): string {
  return isMsgtype(name) ? String(name) : HIDDEN
}

/** How the openid of a person is shown. */
type ShowOpenid = (openid: string) => unknown

/** `text · oABC…wxyz`: what it is and whom it is for. */
export function messageName(name: unknown, data: unknown, show: ShowOpenid): string {
  return [shownName(name), ...person(data, show)].join(' · ')
}

/** `text · 45015 reply-window-closed · oABC…wxyz`: the reason stands where one looks first. */
export function deadLetterName(name: unknown, data: unknown, show: ShowOpenid): string {
  const { reason, message } = isObject(data) ? data : {}
  return [shownName(name), ...reasonOf(reason), ...person(message, show)].join(' · ')
}

/** `message.dead · oABC…wxyz` */
export function callbackName(name: unknown, data: unknown, show: ShowOpenid): string {
  const type = CALLBACK_TYPES.find((known) => known === name) ?? HIDDEN
  return [type, ...person(data, show)].join(' · ')
}

function reasonOf(reason: unknown): string[] {
  if (!isObject(reason) || knownReason(reason['name']) === undefined) return []
  const { errcode, name } = reason
  const code = typeof errcode === 'number' && isErrcode(errcode) ? `${errcode} ` : ''
  return [`${code}${String(name)}`]
}

/** What is no openid stands in the data alone. */
function person(message: unknown, show: ShowOpenid): string[] {
  const openid = isObject(message) ? touserSchema.safeParse(message['touser']).data : undefined
  return openid === undefined ? [] : [String(show(openid))]
}
