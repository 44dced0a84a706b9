// What a test may do to the fake: the same calls in process (this file) and over HTTP (control-routes.ts).
import type { ActiveFault, FaultRule } from './faults.ts'
import type { PushedAction, PushResult, PushSettings } from './push.ts'
import type { TokenSettings } from './tokens.ts'
import { USER_ACTIONS, type UserAction, type WindowSettings } from './windows.ts'
import type { FakeApp, World } from './world.ts'

export type FakeControl = {
  /** Adds a fault and returns its id. Throws a TypeError that says what is wrong with the rule. */
  addFault: (rule: FaultRule) => number
  /** The faults that stand, with how often each has hit. */
  faults: () => ActiveFault[]
  /** Removes one fault, or all. */
  clearFaults: (id?: number) => void
  /** The user acts, or is put into a state, and nobody is told. Throws a TypeError for an unknown action. */
  user: (openid: string, action: UserAction) => void
  /** The user acts, and whoever `setPush` names is told of it. Resolves once they have taken it, or have failed to three times. */
  push: (openid: string, action: PushedAction) => Promise<PushResult>
  /**
   * WeChat's message push: from now on what users do is told to this URL, in plain mode and as JSON, signed with the token. Kept over a
   * reset; null ends it. Throws a TypeError for settings that make no sense.
   */
  setPush: (settings: PushSettings | null) => void
  /** Changes the reply windows that actions open from now on. */
  setWindows: (settings: Partial<WindowSettings>) => void
  /** Changes how tokens are made and forced from now on. */
  setTokens: (settings: Partial<TokenSettings>) => void
  /**
   * Every token of the app, or of all apps, is answered with 40001 from now on. With `repeatDead` the stable endpoint
   * keeps handing out the dead one until a refresh is forced, which is what it does after a leak was reported.
   */
  invalidateTokens: (options?: { appid?: string; repeatDead?: boolean }) => void
  /** Media ids given out so far, or one of them, serve no longer: a send that names one is answered with 40007. */
  forgetMedia: (options?: { mediaId?: string }) => void
  /** Adds an app, or gives a known one another secret. Kept over a reset. */
  setApp: (app: FakeApp) => void
  /**
   * Back to the start: ledger, faults, users, settings and tokens. With `keepTokens` those handed out stay good.
   * `tokensIssued` always stays: a leak is a leak.
   */
  reset: (options?: { keepTokens?: boolean }) => void
}

/** Settings also come in over HTTP, and a NaN among them would close every window in silence. */
const checkNumbers = (settings: object): void => {
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value !== 'number' || !(value >= 0)) throw new TypeError(`${name} must be a number of at least 0`)
  }
}

/** Only the named settings, so that a wrong name is an error and not ignored. */
const checkNames = (settings: object, known: object): void => {
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(known, name)) throw new TypeError(`${name} is not one of ${Object.keys(known).join(', ')}`)
  }
}

export const createControl = (world: World): FakeControl => ({
  addFault: world.faults.add,
  faults: world.faults.list,
  clearFaults: world.faults.clear,
  user: (openid, action) => {
    if (!USER_ACTIONS.includes(action)) throw new TypeError(`action must be one of ${USER_ACTIONS.join(', ')}`)
    world.windows.act(openid, action)
  },
  push: (openid, action) => {
    world.windows.act(openid, action)
    return world.pushes.push(openid, action)
  },
  setPush: world.pushes.configure,
  setWindows: (settings) => {
    checkNames(settings, world.windows.settings())
    checkNumbers(settings)
    world.windows.configure(settings)
  },
  setTokens: (settings) => {
    checkNames(settings, world.tokens.settings())
    checkNumbers(settings)
    world.tokens.configure(settings)
  },
  invalidateTokens: ({ appid, repeatDead } = {}) => world.tokens.invalidate(appid, repeatDead),
  forgetMedia: ({ mediaId } = {}) => world.media.forget(mediaId),
  setApp: ({ appid, secret }) => {
    if (typeof appid !== 'string' || typeof secret !== 'string') throw new TypeError('appid and secret must be strings')
    world.secrets.set(appid, secret)
  },
  reset: ({ keepTokens = false } = {}) => {
    world.book.reset()
    world.faults.reset()
    world.windows.reset()
    world.media.reset()
    world.tokens.reset(keepTokens)
  },
})
