// WeChat's message push: what a user does is told to the URL that stands in WeChat's console, in plain mode and as JSON, signed with the
// token of that console. WeChat waits five seconds and says it three times until it is answered 200.
//
// Deliberately absent: the encrypted modes, XML, the check of a new URL.
import { createHash, randomBytes } from 'node:crypto'

export type PushSettings = {
  /** http or https; a query that it has is kept. */
  url: string
  /** The Token of WeChat's console. */
  token: string
}

/** What a user can do that WeChat tells of. */
export type PushedAction = 'message' | 'enter'

/** Whether somebody took the push, and if nobody did, why. */
export type PushResult = { pushed: true } | { pushed: false; problem: string }

export type Pushes = {
  /** Null: nobody is told. Throws a TypeError for settings that make no sense. */
  configure: (settings: PushSettings | null) => void
  isOn: () => boolean
  /** Never rejects. */
  push: (openid: string, action: PushedAction) => Promise<PushResult>
}

const TRIES_MAX = 3
const ANSWER_MS_MAX = 5000
const ACCOUNT = 'gh_97417a04a28d'

export const openPushes = (now: () => number, closing: AbortSignal): Pushes => {
  let settings: PushSettings | null = null
  let count = 0
  // As large as WeChat's, and never the same twice, not even after a restart.
  const nextMsgId = (): string => String(BigInt(now()) * 1_000_000n + BigInt(count++ % 1_000_000))
  const bodyOf = (openid: string, action: PushedAction): string => {
    const common = { ToUserName: ACCOUNT, FromUserName: openid, CreateTime: Math.floor(now() / 1000) }
    if (action === 'enter') {
      return JSON.stringify({ ...common, MsgType: 'event', Event: 'user_enter_tempsession', SessionFrom: 'fake' })
    }
    const fields = JSON.stringify({ ...common, MsgType: 'text', Content: '您好' })
    return `${fields.slice(0, -1)},"MsgId":${nextMsgId()}}`
  }
  const signed = ({ url, token }: PushSettings, openid: string): URL => {
    const [timestamp, nonce] = [String(Math.floor(now() / 1000)), String(randomBytes(4).readUInt32BE())]
    const signature = createHash('sha1').update([token, timestamp, nonce].toSorted().join('')).digest('hex')
    const target = new URL(url)
    for (const [name, value] of Object.entries({ signature, timestamp, nonce, openid })) {
      target.searchParams.set(name, value)
    }
    return target
  }
  return {
    configure: (next) => {
      settings = next === null ? null : checked(next)
    },
    isOn: () => settings !== null,
    push: async (openid, action) => {
      if (settings === null) return { pushed: false, problem: 'setPush was not called' }
      const body = bodyOf(openid, action)
      let problem: string | null = null
      for (let tries = 0; tries < TRIES_MAX && !closing.aborted; tries += 1) {
        problem = await post(signed(settings, openid), body, closing)
        if (problem === null) return { pushed: true }
      }
      return { pushed: false, problem: problem ?? 'the fake is closed' }
    },
  }
}

const checked = (settings: PushSettings): PushSettings => {
  for (const name of Object.keys(settings)) {
    if (name !== 'url' && name !== 'token') throw new TypeError(`${name} is not one of url, token`)
  }
  const { url, token } = settings
  if (typeof url !== 'string' || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new TypeError('url must be an address with http or https')
  }
  if (typeof token !== 'string' || token === '') throw new TypeError('token must be a string that is not empty')
  return { url, token }
}

/** Null once it is answered 200, else what went wrong. */
const post = async (url: URL, body: string, closing: AbortSignal): Promise<string | null> => {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  const timer = setTimeout(abort, ANSWER_MS_MAX)
  closing.addEventListener('abort', abort, { once: true })
  try {
    const headers = { 'content-type': 'application/json' }
    const { status } = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: controller.signal,
    })
    return status === 200 ? null : `answered with HTTP ${status}`
  } catch (error) {
    return controller.signal.aborted ? `no answer within ${ANSWER_MS_MAX} ms` : reasonOf(error)
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', abort)
  }
}

/** `fetch` keeps the reason in the cause. */
const reasonOf = (error: unknown): string => {
  const { message, cause } = error as { message?: string; cause?: { code?: string } }
  return cause?.code === undefined ? String(message) : `${message}: ${cause.code}`
}
