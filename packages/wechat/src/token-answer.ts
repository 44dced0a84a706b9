/**
 * A token, out of whatever a token endpoint answers. WeChat's own say `{access_token, expires_in}`. Companies' token servers are
 * written by many people: the same in camelCase, inside of `data`, as a bare string, with a lifetime that is a text, `null`, far
 * too long or over. Each of these is a token all the same, and an app that has one need not wait.
 */
import { errmsgOf } from './answers.ts'
import type { Exchanged } from './call.ts'
import { integerOf, type JsonObject, objectOf, parseJson, tidied } from './read.ts'

export type TokenAnswer =
  | { readonly kind: 'token'; readonly value: string; readonly expiresInS: number }
  /** WeChat said no, and why. `errmsg` holds neither appid nor secret. */
  | { readonly kind: 'refused'; readonly errcode: number; readonly errmsg: string }
  /** Nothing usable came back: WeChat was not reached, or the answer is not WeChat's. */
  | { readonly kind: 'unreachable'; readonly detail: string }

export interface TokenReading {
  /** Never stand in the answer. */
  readonly secrets: readonly string[]
  /** For answers that name no lifetime, a plain text among them. WeChat's own always do: without this they are refused. */
  readonly lifetimeS?: number
  /** Where an answer has the token and its lifetime, when not where it is looked for: `data.token`. */
  readonly tokenField?: string | undefined
  readonly lifetimeField?: string | undefined
}

/** No token of WeChat's lives longer, so whoever names more means something else. */
const EXPIRES_IN_S_MAX = 7200
/** Nothing is left of it by the source's count. It may serve still, and in a second the source may have another. */
const EXPIRES_IN_S_MIN = 1

/** WeChat asks for room for 512 characters. A token is put into a URL, so it is visible ASCII. */
const TOKEN = /^[!-~]{1,2048}$/u

/** A plain text that is a token by itself, as a file or a company's token server may give it; else undefined. */
export function tokenOfText(text: string): string | undefined {
  const value = tidied(text)
  // HTML and JSON are visible ASCII as well, and no token holds their brackets.
  return TOKEN.test(value) && !/[<>{}[\]"]/u.test(value) ? value : undefined
}

export function tokenAnswerOf(exchanged: Exchanged, reading: TokenReading): TokenAnswer {
  if (exchanged.kind === 'broken') return { kind: 'unreachable', detail: exchanged.detail }
  const { status, body } = exchanged
  const { lifetimeS, secrets } = reading
  const said = parseJson(body)
  const answers = answersIn(typeof said === 'string' ? (parseJson(said) ?? said) : said)
  for (const answer of answers) {
    const errcode = integerOf(valueOf(answer, ERRCODE))
    if (errcode !== undefined && errcode !== 0) {
      // Longer than any of WeChat's, and known: a value of the request.
      if (Math.abs(errcode) > 9_999_999 && secrets.includes(String(Math.abs(errcode)))) {
        return { kind: 'unreachable', detail: `HTTP ${status} with an errcode that is no errcode` }
      }
      return { kind: 'refused', errcode, errmsg: errmsgOf({ errmsg: valueOf(answer, ERRMSG) }, secrets) }
    }
  }
  const found = status === 200 ? foundIn(answers, reading) : undefined
  if (found === undefined) {
    const text = typeof said === 'string' ? said : answers.length === 0 ? body : undefined
    const value = text === undefined || lifetimeS === undefined || status !== 200 ? undefined : tokenOfText(text)
    if (value !== undefined && lifetimeS !== undefined) return { kind: 'token', value, expiresInS: lifetimeS }
    const lacking = answers.length === 0 ? 'a JSON object' : 'a valid token'
    return { kind: 'unreachable', detail: `HTTP ${status} without ${lacking}` }
  }
  const expiresInS = lifetimeOf(found.lifetime) ?? lifetimeS
  return expiresInS === undefined
    ? { kind: 'unreachable', detail: `HTTP ${status} without a valid lifetime of the token` }
    : { kind: 'token', value: found.value, expiresInS }
}

const ERRCODE = ['errcode', 'errCode']
const ERRMSG = ['errmsg', 'errMsg']
/** A third-party platform's service may hand its customers' tokens on under the name that WeChat gives them. */
const TOKEN_NAMES = ['access_token', 'accessToken', 'authorizer_access_token', 'authorizerAccessToken', 'token']
const LIFETIME_NAMES = ['expires_in', 'expiresIn', 'expire_in', 'expireIn']
const WRAPPERS = ['data', 'result']
const DEPTH_MAX = 3

/** The object itself, and those that it wraps. */
function answersIn(said: unknown, depth = 0): JsonObject[] {
  const answer = objectOf(said)
  if (answer === undefined) return []
  return depth === DEPTH_MAX
    ? [answer]
    : [answer, ...WRAPPERS.flatMap((name) => answersIn(ownOf(answer, name), depth + 1))]
}

interface Found {
  readonly value: string
  readonly lifetime: unknown
}

function foundIn(
  answers: readonly JsonObject[],
  { tokenField, lifetimeField, lifetimeS }: TokenReading,
): Found | undefined {
  const [whole] = answers
  if (whole === undefined) return undefined
  const named = lifetimeField === undefined ? undefined : atPath(whole, lifetimeField)
  if (tokenField !== undefined) {
    const path = tokenField.split('.')
    const beside = objectOf(atPath(whole, path.slice(0, -1).join('.')))
    return found(atPath(whole, tokenField), named ?? (beside && valueOf(beside, LIFETIME_NAMES)))
  }
  for (const answer of answers) {
    const here = found(valueOf(answer, TOKEN_NAMES), named ?? valueOf(answer, LIFETIME_NAMES))
    if (here !== undefined) return here
  }
  // WeChat itself wraps nothing, and the text in a company's "data" may be its word for a failure.
  if (lifetimeS === undefined || saysNo(whole)) return undefined
  return found(valueOf(whole, WRAPPERS), named ?? valueOf(whole, LIFETIME_NAMES))
}

function saysNo(answer: JsonObject): boolean {
  const code = ownOf(answer, 'code') ?? ownOf(answer, 'status') ?? 0
  return (
    ownOf(answer, 'success') === false || (integerOf(code) !== undefined && ![0, 200].includes(integerOf(code) ?? 0))
  )
}

function found(token: unknown, lifetime: unknown): Found | undefined {
  const value = typeof token === 'string' ? tidied(token) : ''
  return TOKEN.test(value) ? { value, lifetime } : undefined
}

/** Seconds, also as text. What is no number names none. */
function lifetimeOf(lifetime: unknown): number | undefined {
  const isText = typeof lifetime === 'string' && /^\s*[+-]?\d{1,18}(?:\.\d+)?\s*$/u.test(lifetime)
  const seconds = isText ? Number(lifetime) : lifetime
  if (typeof seconds !== 'number' || Number.isNaN(seconds)) return undefined
  return Math.min(Math.max(Math.floor(seconds), EXPIRES_IN_S_MIN), EXPIRES_IN_S_MAX)
}

/** The first of these keys that holds something. */
function valueOf(answer: JsonObject, names: readonly string[]): unknown {
  return names.map((name) => ownOf(answer, name)).find((value) => value !== undefined && value !== null)
}

function atPath(answer: JsonObject, path: string): unknown {
  if (path === '') return answer
  return path.split('.').reduce<unknown>((at, name) => {
    const object = objectOf(at)
    return object === undefined ? undefined : ownOf(object, name)
  }, answer)
}

function ownOf(answer: JsonObject, name: string): unknown {
  return Object.hasOwn(answer, name) ? answer[name] : undefined
}
