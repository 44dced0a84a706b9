// WeChat's errmsg is a sentence followed by a tail that differs in every answer, so a client that branches on
// the text breaks. The fake gives its sentences such tails; only the errcode is a promise.
import { randomBytes } from 'node:crypto'

const SENTENCES: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40004: 'invalid media type',
  40007: 'invalid media_id',
  40008: 'invalid message type',
  40009: 'invalid image size',
  40013: 'invalid appid',
  40066: 'invalid url',
  40113: 'unsupported file type',
  40125: 'invalid appsecret',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41005: 'media data missing',
  42001: 'access_token expired',
  43001: 'require GET method',
  43002: 'require POST method',
  44004: 'empty content',
  45002: 'content size out of limit',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  45015: 'response out of time limit or subscription is canceled',
  45047: 'out of response count limit',
  45072: 'command field is invalid',
  47001: 'data format error',
  48001: 'api unauthorized',
}

/** The body of WeChat's answer to a message it has taken. */
const OK_ANSWER = '{"errcode":0,"errmsg":"ok"}'

/** One errmsg with its tail; the first part of the rid is the time in hexadecimal seconds. */
const errmsgFor = (errcode: number, nowMs: number): string => {
  const random = randomBytes(11).toString('hex')
  const seconds = Math.floor(nowMs / 1000).toString(16)
  const rid = `${seconds}-${random.slice(0, 8)}-${random.slice(8, 16)}`
  return `${SENTENCES[errcode] ?? 'request refused'} hint: [${random.slice(16)}] rid: ${rid}`
}

/** A JSON answer for an errcode; `errmsg`, when given, is used as it is. */
export const errcodeAnswer = (errcode: number, nowMs: number, errmsg?: string): string =>
  errcode === 0 && errmsg === undefined
    ? OK_ANSWER
    : JSON.stringify({ errcode, errmsg: errmsg ?? errmsgFor(errcode, nowMs) })
