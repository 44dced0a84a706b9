/**
 * A company's own token server: many keep one process that asks WeChat for tokens and hands them to everybody else, among
 * them all who work for third-party platforms. `token-answer.ts` knows the shapes of their answers.
 */
import type { ProxySettings } from './dispatcher.ts'
import { createHttp } from './http.ts'
import { type TokenAnswer, tokenAnswerOf } from './token-answer.ts'
import { urlParts } from './url-parts.ts'

export interface TokenServer {
  /** Its query may hold a key, so no part of it is ever repeated. */
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  /** The lifetime of a token whose answer names none, in seconds. */
  readonly lifetimeS: number
  /** Where its answer has the token and the lifetime, when they have names of their own: `data.wx.token`. */
  readonly tokenField?: string | undefined
  readonly lifetimeField?: string | undefined
  readonly proxy?: ProxySettings | undefined
  /** The whole call. */
  readonly timeoutMs: number
}

/**
 * Asks once. Never rejects and follows no redirect, which would carry the headers to another host. A connection is made
 * for the one call: there is an hour or more between two of them.
 */
export async function askTokenServer(server: TokenServer): Promise<TokenAnswer> {
  const { url, method, headers, timeoutMs, proxy, ...reading } = server
  const { origin, pathname, search } = new URL(url)
  const limits = { connections: 1, timeoutMs, connectTimeoutMs: timeoutMs, answerBytesMax: 65_536 }
  const http = createHttp({ origin, ...limits, proxy })
  try {
    const exchanged = await http.exchange({ method, path: pathname + search, headers })
    const secrets = [...Object.values(headers).flatMap(headerParts), ...urlParts(url)]
    return tokenAnswerOf(exchanged, { ...reading, secrets })
  } finally {
    await http.close(0)
  }
}

/** A header's value, the words in it, and what HTTP basic packs into one: `Basic dXNlcjpwYXNz`. */
function headerParts(value: string): string[] {
  const [scheme = '', packed = ''] = value.split(' ')
  const login = /^basic$/iu.test(scheme) ? Buffer.from(packed, 'base64').toString('utf8') : ''
  return [value, ...value.split(' '), login, ...login.split(':')].filter((part) => !/^(?:|basic|bearer)$/iu.test(part))
}
