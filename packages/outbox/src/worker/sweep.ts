/** What a crash or another program left undone, and what has grown too old: at start and every 30 seconds, one sweep at a time. */
import type { HoldKeeper } from '../app-hold/keeper.ts'
import { expireEvents, type Receiver } from '../callbacks/deliverer.ts'
import type { Burier } from '../dead-letters/bury.ts'
import { expireDeadLetters } from '../dead-letters/list.ts'
import { createStripper, type Retain } from '../erase/strip.ts'
import { messageOf } from '../errors.ts'
import { expireMessages } from '../lanes/expire.ts'
import { healLanes } from '../lanes/heal.ts'
import type { Store } from '../redis/store.ts'
import { trimDelivered } from './trim.ts'

export interface SweeperOptions {
  readonly appid: string
  readonly store: Store
  readonly retain: Retain
  /** With one the deliverer sees to the events. */
  readonly receiver?: Receiver | undefined
  readonly report: {
    readonly expired: (count: number) => void
    readonly problem: (problem: { what: string; error: string }) => void
  }
  /** From the end of one sweep to the next. Default 30 s. */
  readonly sweepEveryMs?: number | undefined
}

const SWEEP_EVERY_MS = 30_000

export function createSweeper(options: SweeperOptions, { burier, keeper }: { burier: Burier; keeper: HoldKeeper }) {
  const { appid, store, retain, receiver, report, sweepEveryMs = SWEEP_EVERY_MS } = options
  const stripper = createStripper({ store, appid, retain })
  let timer: NodeJS.Timeout | undefined
  let current: Promise<void> = Promise.resolve()
  let stopped = false
  const expireLetters = async (): Promise<void> => {
    const expired = await expireDeadLetters(store, { appid, before: store.clock.now() - retain.deadMs })
    if (expired > 0) report.expired(expired)
  }
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    'whether the app is held': () => keeper.look(),
    'messages that have failed': () => burier.sweep(),
    'messages that have expired': () => expireMessages(burier, { store, appid }),
    'lanes that stand still': () => healLanes(store, appid),
    'old delivered messages': () => trimDelivered(store, appid, { ms: retain.deliveredMs, count: retain.deliveredMax }),
    'content that goes': () => stripper.strip(),
    ...(receiver === undefined && { 'old events': () => expireEvents({ store, appid, retain }) }),
    'old dead letters': expireLetters,
  }
  // Each by itself: a key that another program has spoilt ends one step for as long as it stands there.
  const sweep = async (): Promise<void> => {
    for (const [what, step] of Object.entries(steps)) {
      try {
        await step()
      } catch (error) {
        report.problem({ what: `the sweep, ${what}`, error: messageOf(error) })
        // Its connection may be gone for good.
        if (stopped) return
      }
    }
    if (!stopped) timer = setTimeout(next, sweepEveryMs)
  }
  const next = (): void => {
    current = sweep()
  }
  return {
    start: next,
    stop(): void {
      stopped = true
      clearTimeout(timer)
    },
    idle: (): Promise<void> => current,
  }
}
