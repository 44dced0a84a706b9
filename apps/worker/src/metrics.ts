/**
 * What a worker counts. The labels are bounded: apps are those that are configured, outcomes are ours, and an errcode has a
 * label of its own only if the table knows it. Counting must cost a delivery nothing that can be measured, so children
 * are looked up once and kept.
 */
import type { Attempt, JobData, Reason, WindowDisagreement } from '@wechat-outbox/messages'
import { sendErrcode, tokenErrcode } from '@wechat-outbox/policy'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { UploadResult } from './pictures.ts'
import type { RefreshResult } from './token-refresh.ts'

export interface AppMetrics {
  attempted(made: {
    readonly attempt: Attempt
    readonly data: JobData
    /** It was no call of the message itself. */
    readonly isPicture?: boolean
    readonly acceptedAt: number
    readonly nowMs: number
  }): void
  dead(reason: Reason): void
  replayed(): void
  expired(count: number): void
  windowDisagreed(kind: WindowDisagreement): void
  readonly refreshed: (result: RefreshResult) => void
  readonly uploaded: (result: UploadResult) => void
  readonly callback: (outcome: CallbackOutcome, count: number) => void
}

/** `dropped`: too many waited. */
export type CallbackOutcome = 'taken' | 'failed' | 'given-up' | 'dropped'

export interface WorkerMetrics {
  forApp(appid: string): AppMetrics
}

/** Without any label: 12 series each, whatever the number of apps. */
const SEND_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** From a message that is sent at once to one that waited for half a day's outage. */
const DELAY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 43_200]

export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry]
  const messages = new Counter({
    name: 'wxo_messages_total',
    help: 'What came of messages: delivered, dead and replayed ones, and every attempt that ended neither way.',
    labelNames: ['app', 'outcome', 'errcode'],
    registers,
  })
  const expired = new Counter({
    name: 'wxo_dead_letters_expired_total',
    help: 'Dead letters that were removed because of their age.',
    labelNames: ['app'],
    registers,
  })
  const disagreements = new Counter({
    name: 'wxo_window_disagreements_total',
    help: 'Answers of WeChat that the ledger of reply windows had not expected: taken-though-closed, refused-though-open.',
    labelNames: ['app', 'kind'],
    registers,
  })
  const tokens = new Counter({
    name: 'wxo_token_refreshes_total',
    help: 'Times this process asked the source of an app for a token: stored, superseded, or failed.',
    labelNames: ['app', 'result'],
    registers,
  })
  const uploads = new Counter({
    name: 'wxo_media_uploads_total',
    help: 'Pictures that messages name by their URLs: stored with WeChat, failed there, or unfetched.',
    labelNames: ['app', 'result'],
    registers,
  })
  const callbacks = createCallbackCounter(registers)
  const duration = new Histogram({
    name: 'wxo_send_duration_seconds',
    help: 'How long calls to WeChat took.',
    buckets: SEND_SECONDS,
    registers,
  })
  const delay = new Histogram({
    name: 'wxo_delivery_delay_seconds',
    help: 'From the moment a message was accepted, or from its sendAt, to its delivery.',
    buckets: DELAY_SECONDS,
    registers,
  })
  return {
    forApp(app) {
      const count = counterOf(messages, app)
      // So that the first message is an increase, too, and the first failure.
      messages.inc({ app, outcome: 'delivered', errcode: '0' }, 0)
      for (const result of ['stored', 'failed'] satisfies RefreshResult[]) tokens.inc({ app, result }, 0)
      return {
        attempted({ attempt, data, isPicture = false, acceptedAt, nowMs }) {
          // A death is counted once it is certain, and not all of them had an attempt.
          if (attempt.outcome !== 'dead') count(attempt.outcome, attempt.errcode)
          if (!isPicture && wasCall(attempt)) duration.observe(attempt.ms / 1000)
          if (attempt.outcome !== 'delivered') return
          delay.observe(Math.max(0, nowMs - Math.max(acceptedAt, data.sendAt ?? 0)) / 1000)
        },
        dead: ({ errcode }) => count('dead', errcode ?? undefined),
        replayed: () => count('replayed', undefined),
        expired: (number) => expired.inc({ app }, number),
        windowDisagreed: (kind) => disagreements.inc({ app, kind }),
        refreshed: (result) => tokens.inc({ app, result }),
        uploaded: (result) => uploads.inc({ app, result }),
        callback: (outcome, number) => callbacks.inc({ app, outcome }, number),
      }
    },
  }
}

function createCallbackCounter(registers: Registry[]): Counter<'app' | 'outcome'> {
  return new Counter({
    name: 'wxo_callbacks_total',
    help: 'Calls to the receivers of callbacks: taken or failed; and events that are told no more: given-up, dropped.',
    labelNames: ['app', 'outcome'],
    registers,
  })
}

type Labels = 'app' | 'outcome' | 'errcode'
type Count = (outcome: string, errcode: number | undefined) => void

function counterOf(counter: Counter<Labels>, app: string): Count {
  const children = new Map<string, Counter.Internal>()
  return (outcome, errcode) => {
    const label = errcodeLabel(errcode)
    const key = `${outcome} ${label}`
    let child = children.get(key)
    if (child === undefined) {
      child = counter.labels({ app, outcome, errcode: label })
      children.set(key, child)
    }
    child.inc()
  }
}

function errcodeLabel(errcode: number | undefined): string {
  if (errcode === undefined) return 'none'
  return sendErrcode(errcode) === undefined && tokenErrcode(errcode) === undefined ? 'other' : String(errcode)
}

/** An attempt may also record a call that a dead worker left open, or that there was no token to call with. */
function wasCall({ outcome, ms }: Attempt): boolean {
  return ms > 0 || outcome === 'delivered' || outcome === 'retry' || outcome === 'dead'
}
