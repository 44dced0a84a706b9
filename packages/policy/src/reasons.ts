/**
 * Why a message died or waits, in words that need no looking up: built here and nowhere else, so that every reason has a
 * stable name and a meaning in both languages. An `errmsg` comes here cleaned, from who has read it (`messages/src/errmsg.ts`).
 */
import { type Attempt, cleanErrmsg, type Outcome, type Reason } from '@wechat-outbox/messages'
import { type ErrcodeRow, OWN_REASONS, OWN_SOURCE, type OwnReasonName, sendErrcode, tokenErrcode } from './errcodes.ts'

/** What the last call came to, as far as a reason repeats it. */
export interface LastAnswer {
  readonly errcode: number | null
  readonly errmsg: string
  readonly rid?: string
}

const NO_ANSWER: LastAnswer = { errcode: null, errmsg: '' }

/** The last answer inside an outcome: WeChat's words, or the transport's where WeChat said nothing. */
export function lastAnswerOf(outcome: Outcome): LastAnswer {
  switch (outcome.kind) {
    case 'answered': {
      const { errcode, errmsg, rid } = outcome
      return rid === undefined ? { errcode, errmsg } : { errcode, errmsg, rid }
    }
    case 'not-sent':
    case 'unsure':
    case 'no-media':
      return { errcode: null, errmsg: outcome.detail }
    case 'refused':
      return { errcode: null, errmsg: `HTTP ${outcome.status}` }
    case 'no-token':
      return { errcode: outcome.errcode ?? null, errmsg: outcome.detail }
  }
}

/** What WeChat itself said about a send. A code outside the table is `unknown` and keeps its number. */
export function answerReason(answer: LastAnswer & { readonly errcode: number }): Reason {
  const row = sendErrcode(answer.errcode)
  return row === undefined ? ownReason('unknown', answer) : rowReason(row, answer)
}

/** Why there is no token: the token endpoint's code where it is one that lasts, else `token-unavailable`. */
export function noTokenReason(answer: LastAnswer): Reason {
  const row = answer.errcode === null ? undefined : tokenErrcode(answer.errcode)
  return row === undefined ? ownReason('token-unavailable', answer) : rowReason(row, answer)
}

/** The tries are used up. Its meaning says what the last answer meant, because that is what an operator has to act on. */
export function retriesExhaustedReason(last: LastAnswer): Reason {
  const reason = ownReason('retries-exhausted', last)
  const row = last.errcode === null ? undefined : sendErrcode(last.errcode)
  const en = row?.meaning.en ?? 'WeChat was not reached, or nothing came back that says what it did.'
  const zh = row?.meaning.zh ?? '未能连接微信，或未收到可判断结果的应答。'
  return {
    ...reason,
    meaning: { en: `${reason.meaning.en} The last one: ${en}`, zh: `${reason.meaning.zh}最后一次：${zh}` },
  }
}

/** `expiresAt` has come. The last answer, if there was a call at all, says what stood in the way. */
export function expiredReason(last: LastAnswer = NO_ANSWER): Reason {
  return ownReason('expired', last)
}

/** The same for a message that expires while it waits: its last attempt is all that is known of it. */
export function expiryReason(last: Attempt | undefined): Reason {
  if (last === undefined) return expiredReason()
  const { errcode = null, errmsg = '', rid } = last
  return expiredReason(rid === undefined ? { errcode, errmsg } : { errcode, errmsg, rid })
}

/** A message waited for its user, who did nothing for too long. */
export function unansweredReason(last: Attempt | undefined): Reason {
  const { errcode = null, errmsg = '', rid } = last ?? {}
  return ownReason('unanswered', rid === undefined ? { errcode, errmsg } : { errcode, errmsg, rid })
}

/** Nobody can know whether WeChat took the message, and its `ifUnsure` is `dead-letter`. `detail` says how the call ended. */
export function unsureReason(detail = 'the worker ended while the call was open'): Reason {
  return ownReason('unsure', { errcode: null, errmsg: detail })
}

/** WeChat was not reached: nothing of the call was written. */
export function unreachableReason(last: LastAnswer): Reason {
  return ownReason('unreachable', last)
}

/** A proxy or load balancer refused the call before WeChat's application saw it. */
export function refusedReason(last: LastAnswer): Reason {
  return ownReason('refused', last)
}

/** Something answered, and it was not WeChat: a page of a gateway or a proxy. */
export function notWechatReason(last: LastAnswer): Reason {
  return ownReason('not-wechat', last)
}

/** The picture of the message could not be had; the last words say what was seen. */
export function mediaUnavailableReason(last: LastAnswer): Reason {
  return ownReason('media-unavailable', last)
}

/** The stored data cannot be sent; `problem` says where it is wrong. */
export function invalidMessageReason(problem: string): Reason {
  return ownReason('invalid-message', { errcode: null, errmsg: problem })
}

/**
 * A job that another program has failed; `detail` is what it says about it. While a call may have been open, nobody can know
 * whether WeChat took the message, whatever the other program says.
 */
export function failedElsewhereReason(detail: string, wasOpen: boolean): Reason {
  return wasOpen ? unsureReason() : ownReason('failed-elsewhere', { errcode: null, errmsg: cleanErrmsg(detail) })
}

const ownMeanings = new Map<OwnReasonName, Reason['meaning']>(OWN_REASONS.map((row) => [row.name, row.meaning]))

function ownReason(name: OwnReasonName, answer: LastAnswer): Reason {
  // Every name of the type stands in the table that the type is made of.
  const meaning = ownMeanings.get(name) ?? { en: name, zh: name }
  return { ...said(answer), name, meaning, source: OWN_SOURCE }
}

function rowReason(row: ErrcodeRow, answer: LastAnswer): Reason {
  return { ...said(answer), name: row.name, meaning: row.meaning, source: row.source }
}

/** An answer may come inside an outcome or another reason, whose other fields are not repeated. */
function said({ errcode, errmsg, rid }: LastAnswer): LastAnswer {
  return rid === undefined ? { errcode, errmsg } : { errcode, errmsg, rid }
}
