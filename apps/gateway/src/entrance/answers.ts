/**
 * What the entrance answers: WeChat's form, HTTP 200 included, because clients branch on `errcode` and give up on any other
 * status. Each errcode has the sentence that WeChat says, and after it what a person needs to know here.
 */
import type { FastifyReply } from 'fastify'

const sentences = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40008: 'invalid message type',
  40009: 'invalid image size',
  40013: 'invalid appid',
  40066: 'invalid url',
  40125: 'invalid appsecret',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  43001: 'require GET method',
  43002: 'require POST method',
  44002: 'empty post data',
  44004: 'empty content',
  45002: 'content size out of limit',
  45015: 'response out of time limit or subscription is canceled',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  47001: 'data format error',
} as const

export interface Refusal {
  readonly errcode: keyof typeof sentences
  readonly detail?: string | undefined
  /** Another HTTP status than 200, where a limit of HTTP's is reached. */
  readonly status?: number
}

export type Answer = Refusal | Readonly<Record<string, unknown>>

export const OK: Answer = { errcode: 0, errmsg: 'ok' }
/** The one refusal that clients may repeat as it is. */
export const BUSY: Refusal = { errcode: -1, detail: 'the message store does not answer, try again' }

/** The caller's key has a limit that is reached. */
export const tooMany = (what: 'requests' | 'messages'): Refusal => ({
  errcode: 45_011,
  detail: `the API key has as many ${what} in a second as it may`,
})

export function isRefusal(answer: object): answer is Refusal {
  return (
    'errcode' in answer && typeof answer.errcode === 'number' && answer.errcode in sentences && !('errmsg' in answer)
  )
}

export function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  const refused = isRefusal(answer)
  if (refused && answer.status !== undefined) reply.code(answer.status)
  if (refused && (answer.errcode === -1 || answer.errcode === 45_011)) reply.header('retry-after', '1')
  const body = refused ? { errcode: answer.errcode, errmsg: errmsgOf(answer) } : answer
  return reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(JSON.stringify(body))
}

/** Without quotes and backslashes: one SDK doubles backslashes before it parses an answer and would fail on an escape. */
function errmsgOf({ errcode, detail }: Refusal): string {
  const text = detail === undefined ? sentences[errcode] : `${sentences[errcode]}: ${detail}`
  return text
    .replaceAll(/["\\\p{Cc}]/gu, "'")
    .slice(0, 500)
    .toWellFormed()
}
