// Everything the fake remembers, in one place: the routes read and change it, the control API as well.
import { type Faults, openFaults } from './faults.ts'
import { type LedgerBook, openLedger } from './ledger.ts'
import { type MediaIds, openMediaIds } from './media.ts'
import { openPushes, type Pushes } from './push.ts'
import { openTokenWorlds, type TokenWorlds } from './tokens.ts'
import { openReplyWindows, type ReplyWindows } from './windows.ts'

/** The app the sandbox has when none is named. Its secret opens nothing but this fake. */
export const SANDBOX_APP_ID = 'wx5a4d0b0c0ffee000'
export const SANDBOX_APP_SECRET = 'sandbox0secret0of0no0value000000'

export type FakeApp = { appid: string; secret: string }

export type WorldOptions = {
  /** Default: the sandbox app alone. */
  apps?: readonly FakeApp[]
  /** `open` (default): everybody may be written to without limit. `strict`: only who acted. */
  windows?: 'open' | 'strict'
  /** For faults at a rate. Default 1. */
  seed?: number
  /** Epoch milliseconds; for tests that need two days to pass. Default Date.now. */
  now?: () => number
  /** Sends the ledger keeps before it drops the oldest. Default 2,000,000. */
  ledgerLimit?: number
}

export type World = {
  now: () => number
  secrets: Map<string, string>
  book: LedgerBook
  tokens: TokenWorlds
  windows: ReplyWindows
  media: MediaIds
  pushes: Pushes
  faults: Faults
  /** Fires when the server closes: waits end then. */
  closing: AbortController
}

export const createWorld = (options: WorldOptions = {}): World => {
  const now = options.now ?? Date.now
  const apps = options.apps ?? [{ appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET }]
  const book = openLedger(options.ledgerLimit)
  const closing = new AbortController()
  return {
    now,
    secrets: new Map(apps.map(({ appid, secret }) => [appid, secret])),
    book,
    tokens: openTokenWorlds(now, book.addToken),
    windows: openReplyWindows(options.windows ?? 'open', now),
    media: openMediaIds(now),
    pushes: openPushes(now, closing.signal),
    faults: openFaults(options.seed ?? 1, now),
    closing,
  }
}
