/** What is said and counted about callbacks. Never the receiver's address, nor whom an event is about. */
import type { CallbackReport } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { AppMetrics } from '../metrics.ts'

export function recordCallbacks(log: Logger, appid: string, { callback: count }: AppMetrics): CallbackReport {
  return {
    told({ event: { id, type, tries }, outcome, why, ms }) {
      count(outcome, 1)
      const line = { appid, callback: id, type, attempt: tries + 1, outcome, why, durationMs: Math.round(ms) }
      if (outcome === 'taken') log.debug({ event: 'callback.attempted', ...line })
      else log.warn({ event: 'callback.attempted', ...line })
    },
    receiver({ became, heldForMs = 0 }) {
      if (became === 'resumed') return log.info({ event: 'callbacks.resumed', appid })
      const isGone = heldForMs === Number.POSITIVE_INFINITY
      const hint = 'the receiver has answered 410: nothing is told until its settings change or `wxo callback resume`'
      const next = isGone ? { hint } : { nextTryInMs: Math.round(heldForMs) }
      log.warn({ event: became === 'held' ? 'callbacks.held' : 'callbacks.probe-failed', appid, ...next })
    },
    lost({ dropped, tooOld }) {
      count('dropped', dropped)
      count('given-up', tooOld)
      log.error({ event: 'callbacks.lost', appid, dropped, tooOld, hint: 'the receiver takes too little, or nothing' })
    },
  }
}
