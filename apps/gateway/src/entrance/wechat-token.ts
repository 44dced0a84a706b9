/**
 * WeChat's own token, for what is passed on. The workers keep it in Redis; where there is none that serves – an app that has
 * been idle, a token that WeChat has just refused – the workers are asked for one and given a moment to fetch it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createTokenStore, type Store, type StoredToken, type TokenStore } from '@wechat-outbox/outbox/engine'
import { isTokenRefusal } from '@wechat-outbox/policy'

/** Whoever uploads is waiting, and after this clients lose patience. */
const WAIT_MS_MAX = 3000
const POLL_MS = 50
/** How often the workers are asked again meanwhile: they may have missed it, or have failed. */
const ASK_EVERY_POLLS = 10

export interface WechatTokens {
  /** A token that serves and is not `refused`, unless its source says that it is the current one, within three seconds; undefined without one. @throws while Redis is away */
  get(at: { readonly appid: string; readonly store: Store }, refused?: string): Promise<StoredToken | undefined>
  /** Tells the workers that WeChat has refused it. @throws while Redis is away */
  report(at: { readonly appid: string; readonly store: Store }, refused: string): Promise<void>
}

export function createWechatTokens(): WechatTokens {
  /** Who asks for the same waits together. */
  const underWay = new Map<string, Promise<StoredToken | undefined>>()
  return {
    get({ appid, store }, refused) {
      const key = `${appid} ${refused ?? ''}`
      let result = underWay.get(key)
      if (result === undefined) {
        result = obtain(createTokenStore(store, appid), refused).finally(() => underWay.delete(key))
        underWay.set(key, result)
      }
      return result
    },
    async report({ appid, store }, refused) {
      await createTokenStore(store, appid).want(refused)
    },
  }
}

/** `errcode`: with which WeChat has refused the one that there was. */
export interface NoToken {
  readonly kind: 'no-token'
  readonly errcode?: number
}

/**
 * Makes a call with the app's token; with another one once more where WeChat refuses that, and reports the second.
 * `refusalOf`: the errcode of a result, if that is about the token.
 */
export async function withToken<T>(
  { tokens, at }: { readonly tokens: WechatTokens; readonly at: { readonly appid: string; readonly store: Store } },
  call: (token: StoredToken) => Promise<T>,
  refusalOf: (result: T) => number | undefined,
): Promise<T | NoToken> {
  let refused: { readonly value: string; readonly errcode: number } | undefined
  for (;;) {
    const token = await tokens.get(at, refused?.value)
    if (token === undefined) return { kind: 'no-token', ...(refused && { errcode: refused.errcode }) }
    const result = await call(token)
    const errcode = refusalOf(result)
    if (errcode === undefined || !isTokenRefusal(errcode)) return result
    if (refused !== undefined) {
      await tokens.report(at, token.value)
      return { kind: 'no-token', errcode }
    }
    refused = { value: token.value, errcode }
  }
}

/** A good token is refused at times: for so long its source's answer that it is the current one counts for more. */
const WORD_HOLDS_MS = 60_000

async function obtain(tokens: TokenStore, refused: string | undefined): Promise<StoredToken | undefined> {
  const look = async (): Promise<StoredToken | undefined> => {
    const token = await tokens.read()
    if (token === null || token.refused || token.leftMs <= 0) return undefined
    const { repeats, repeatedMsAgo = Number.POSITIVE_INFINITY } = token
    return token.value !== refused || (repeats <= 1 && repeatedMsAgo < WORD_HOLDS_MS) ? token : undefined
  }
  const found = await look()
  if (found !== undefined || !(await tokens.want(refused))) return found
  const until = performance.now() + WAIT_MS_MAX
  for (let polls = 1; performance.now() < until; polls += 1) {
    await sleep(POLL_MS)
    const token = await look()
    if (token !== undefined) return token
    if (polls % ASK_EVERY_POLLS === 0 && !(await tokens.want(refused))) return undefined
  }
  return undefined
}
