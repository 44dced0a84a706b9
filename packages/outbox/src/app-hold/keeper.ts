/**
 * Sees to it that an app that is held comes back by itself: looks when its next probe is due, and asks for the turn to make
 * it. Every worker of the app keeps such a watch, and Redis decides which of them probes. While nothing is held there is
 * no timer; what other processes have held is found by the sweep.
 */
import type { AppFault, AppSignal } from '@wechat-outbox/messages'
import type { Tells } from '../callbacks/tells.ts'
import { messageOf } from '../errors.ts'
import type { Store } from '../redis/store.ts'
import { endUnexplainedRow, liftTokenFault, proveApp, reportFault, takeProbeTurn } from './hold.ts'

export interface HoldReport {
  readonly suspended: (fault: AppFault, until: number) => void
  readonly resumed: () => void
  readonly stillHeld: () => void
  readonly problem: (problem: { what: string; error: string }) => void
}

export interface HoldKeeperOptions {
  readonly appid: string
  readonly store: Store
  readonly report: HoldReport
  readonly tells?: Tells | undefined
  /** Asks the token endpoint now. Whether it gave a token. */
  readonly probeToken: () => Promise<boolean>
}

export interface HoldKeeper {
  /** What a run's call says about the app. `touser`: for whom it was, if there was one. Returns whether the app is held. */
  signal(at: { token: string; probes: boolean; touser?: string | undefined; signal: AppSignal }): Promise<boolean>
  /** A run that was the probe has ended without a call. */
  unused(token: string): Promise<void>
  /** Looks whether the app is held, and watches it if it is. Never rejects. */
  look(): Promise<void>
  stop(): void
}

/** So that the workers of an app do not all ask in the same instant. */
const JITTER_MS = 250
/** A hold may last an hour; a change of it meanwhile is announced to nobody. */
const LOOK_EVERY_MS = 60_000
const AFTER_PROBLEM_MS = 2000

/** The watch over a held app: waits until its next probe is due, and asks for the turn to make it. */
function createProber({ appid, store, report, probeToken }: HoldKeeperOptions) {
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function watch(inMs: number): void {
    clearTimeout(timer)
    if (stopped) return
    const waitMs = Math.min(Math.max(inMs, 0), LOOK_EVERY_MS)
    timer = setTimeout(() => void tick(), waitMs + 1 + Math.random() * JITTER_MS)
  }

  async function tick(): Promise<void> {
    try {
      await takeTurn()
    } catch (error) {
      report.problem({ what: 'probing a held app', error: messageOf(error) })
      watch(AFTER_PROBLEM_MS)
    }
  }

  /** When the next probe is due Redis says: clocks of several hosts are never compared. */
  async function takeTurn(): Promise<void> {
    // A run that ends after `stop` leaves the probe to others: the credentials here may have been replaced.
    if (stopped) return
    const turn = await takeProbeTurn(store, appid)
    if (turn.kind === 'wait') return watch(turn.ms)
    if (turn.kind !== 'ask') return
    watch(AFTER_PROBLEM_MS)
    if (!(await probeToken())) report.stillHeld()
    else if ((await liftTokenFault(store, appid)) === 'lifted') report.resumed()
    await takeTurn()
  }

  return {
    tick,
    takeTurn,
    stop: (): void => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

export function createHoldKeeper(options: HoldKeeperOptions): HoldKeeper {
  const { appid, store, report, tells } = options
  const { tick, takeTurn, stop } = createProber(options)
  let hasEndedRow = false

  /** Once in a turn of the event loop, however many answers came in it. Nobody waits for the note. */
  function endRow(): void {
    if (hasEndedRow) return
    hasEndedRow = true
    setImmediate(() => (hasEndedRow = false))
    endUnexplainedRow(store, appid).catch(() => undefined)
  }

  async function signalFault(at: { token: string; touser: string; fault: AppFault }): Promise<boolean> {
    const { fault } = at
    // The answers after this one end a row that it may have begun.
    hasEndedRow = false
    const reported = await reportFault(store, appid, { ...at, tells })
    if (reported.kind === 'lifted') report.resumed()
    if (reported.kind === 'new') report.suspended(fault, reported.until)
    if (reported.kind === 'again') report.stillHeld()
    // The next probe may be another one's: a probe that met a second fault goes by the first.
    if ('until' in reported) await takeTurn()
    return reported.kind !== 'active' && reported.kind !== 'lifted'
  }

  async function prove(token: string, proof: Exclude<AppSignal['kind'], 'fault'>): Promise<void> {
    const proved = await proveApp(store, appid, { token, proof })
    if (proved === 'lifted') report.resumed()
    if (proved === 'again') {
      report.stillHeld()
      await takeTurn()
    }
  }

  return {
    look: tick,
    async signal({ token, probes, touser = '', signal }) {
      if (signal.kind === 'fault') return signalFault({ token, touser, fault: signal })
      if (probes) await prove(token, signal.kind)
      // A delivery ends every row when it is settled. Any other answer shows that the way to WeChat is open.
      else if (signal.kind === 'healthy' || signal.kind === 'reached') endRow()
      return false
    },
    async unused(token) {
      await proveApp(store, appid, { token, proof: 'unused' })
    },
    stop,
  }
}
