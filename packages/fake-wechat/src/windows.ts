// A Mini Program may answer a user only for a while, and only so often, after the user did something. This file
// keeps those reply windows, one per openid (an openid belongs to one app alone), and the openids that are wrong.

export type WindowSettings = {
  /** Messages after the user sent one, and for how long. Defaults 5 and 48 hours. */
  messageLimit: number
  messageWindowMs: number
  /** Messages after the user entered the session, and for how long. Defaults 2 and 1 minute. */
  enterLimit: number
  enterWindowMs: number
}

const DEFAULT_WINDOW_SETTINGS: WindowSettings = {
  messageLimit: 5,
  messageWindowMs: 48 * 3_600_000,
  enterLimit: 2,
  enterWindowMs: 60_000,
}

/** What happens to a user: actions of their own, and states a test wants to have. */
export const USER_ACTIONS = ['message', 'enter', 'close', 'exhaust', 'unknown', 'known', 'open'] as const
export type UserAction = (typeof USER_ACTIONS)[number]

type Window = { limit: number; used: number; closesAtMs: number }

export type ReplyWindows = {
  /** 0 if a message to this openid would pass, else 40003, 45015 or 45047. Counts nothing. */
  check: (openid: string) => 0 | 40003 | 45015 | 45047
  /** Counts one accepted message. */
  count: (openid: string) => void
  act: (openid: string, action: UserAction) => void
  configure: (settings: Partial<WindowSettings>) => void
  settings: () => WindowSettings
  reset: () => void
}

const looksUnknown = (openid: string): boolean => openid.startsWith('unknown') || openid.startsWith('oUnknown')

/** Opens the windows. `open`: who was never mentioned may be written to without limit; `strict`: not at all. */
export const openReplyWindows = (mode: 'open' | 'strict', now: () => number): ReplyWindows => {
  const windows = new Map<string, Window>()
  // true: the openid is right, false: wrong; absent: its first letters decide.
  const known = new Map<string, boolean>()
  let settings = { ...DEFAULT_WINDOW_SETTINGS }
  const unlimited = (): Window => ({ limit: Infinity, used: 0, closesAtMs: Infinity })

  // A new action sets count and time back to the most it allows; it neither adds to an open window nor shortens it.
  const renew = (openid: string, limit: number, lengthMs: number): void => {
    const current = windows.get(openid)
    // A window that was declared unlimited is no user's doing: an action ends it.
    const counts = current !== undefined && current.closesAtMs > now() && current.limit !== Infinity
    const open = counts ? current : { limit: 0, closesAtMs: 0 }
    const closesAtMs = Math.max(open.closesAtMs, now() + lengthMs)
    windows.set(openid, { limit: Math.max(open.limit, limit), used: 0, closesAtMs })
  }
  const exhaust = (openid: string): void => {
    const closesAtMs = Math.max(windows.get(openid)?.closesAtMs ?? 0, now() + settings.messageWindowMs)
    windows.set(openid, { limit: settings.messageLimit, used: settings.messageLimit, closesAtMs })
  }

  return {
    check: (openid) => {
      if (!(known.get(openid) ?? !looksUnknown(openid))) return 40003
      const window = windows.get(openid)
      if (window === undefined) return mode === 'open' ? 0 : 45015
      if (window.closesAtMs <= now()) return 45015
      return window.used >= window.limit ? 45047 : 0
    },
    count: (openid) => {
      const window = windows.get(openid)
      if (window !== undefined) window.used += 1
    },
    act: (openid, action) => {
      switch (action) {
        case 'message':
          return renew(openid, settings.messageLimit, settings.messageWindowMs)
        case 'enter':
          return renew(openid, settings.enterLimit, settings.enterWindowMs)
        case 'close':
          return void windows.set(openid, { limit: 0, used: 0, closesAtMs: 0 })
        case 'exhaust':
          return exhaust(openid)
        case 'open':
          return void windows.set(openid, unlimited())
        case 'unknown':
        case 'known':
          return void known.set(openid, action === 'known')
      }
    },
    configure: (changes) => {
      settings = { ...settings, ...changes }
    },
    settings: () => ({ ...settings }),
    reset: () => {
      windows.clear()
      known.clear()
      settings = { ...DEFAULT_WINDOW_SETTINGS }
    },
  }
}
