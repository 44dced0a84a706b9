/** What is logged and counted about messages: one line per attempt, and one per ending. Never content, a token or – above debug – an openid. */
import type { Attempt, DeadLetter, JobData, Outcome } from '@wechat-outbox/messages'
import type { ConsumerReport, HoldReport, Run } from '@wechat-outbox/outbox/engine'
import { createSeldom, type Logger } from '@wechat-outbox/runtime'
import type { AppMetrics } from './metrics.ts'

export interface Attempted {
  readonly run: Run
  readonly data: JobData
  readonly attempt: Attempt
  /** What came of the call, before it was judged. */
  readonly outcome: Outcome
  /** Which try of the budget it was. */
  readonly number: number
  /** It was about the picture of the message: nothing of the message itself was sent. */
  readonly isPicture?: boolean
}

export interface Recorder extends Omit<ConsumerReport, 'stuck'> {
  attempted(attempted: Attempted): void
  newerData(run: Run, v: number): void
}

const QUIET = new Set<Attempt['outcome']>(['delivered', 'token-refreshed', 'media-renewed'])

export function createRecorder(log: Logger, appid: string, metrics: AppMetrics): Recorder {
  const seldom = createSeldom()
  return {
    attempted({ run, data, attempt, number, isPicture = false }) {
      metrics.attempted({ attempt, data, isPicture, acceptedAt: run.acceptedAt, nowMs: run.now() })
      const level = QUIET.has(attempt.outcome) ? 'info' : 'warn'
      if (!log.isLevelEnabled(level)) return
      log[level]({
        event: 'delivery.attempted',
        appid,
        messageId: run.id,
        msgtype: data.msgtype,
        attempt: number,
        ...(isPicture ? { step: 'picture' } : {}),
        errcode: attempt.errcode,
        outcome: attempt.outcome,
        durationMs: attempt.ms,
        rid: attempt.rid,
        metadata: data.metadata,
        traceparent: data.traceparent,
        ...(log.isLevelEnabled('debug') ? { touser: data.touser } : {}),
      })
    },
    newerData(run, v) {
      log.warn({ event: 'message.newer', appid, messageId: run.id, v, hint: 'upgrade the workers: this message waits' })
    },
    dead({ id, letter }: { id: string; letter: DeadLetter }) {
      const { messageId, reason, attempts } = letter
      metrics.dead(reason)
      const { errcode, name, rid } = reason
      log.warn({
        event: 'message.dead',
        appid,
        messageId,
        deadLetter: id,
        errcode,
        reason: name,
        rid,
        attempts: attempts.length,
      })
    },
    replayed({ id, replayOf }) {
      metrics.replayed()
      log.info({ event: 'message.replayed', appid, messageId: id, replayOf })
    },
    task({ id, action, by, status, total, done, skipped, failed, takenBack }, event) {
      log.info({ event: `task.${event}`, appid, task: id, action, by, status, total, done, skipped, failed, takenBack })
    },
    expired(count) {
      metrics.expired(count)
      log.info({ event: 'dead-letters.expired', appid, count })
    },
    windowDisagreed(kind) {
      metrics.windowDisagreed(kind)
      log.info({ event: 'window.disagreed', appid, kind })
    },
    unsettled({ error, pending }) {
      const hint = pending > 0 ? 'kept until Redis records it' : 'Redis refuses to hand out messages'
      log.error({ event: 'settlement.refused', appid, error, pending, hint })
    },
    settledAgain() {
      log.info({ event: 'settlement.recorded', appid })
    },
    ...recordHolds(log, appid),
    problem({ what, error, id }) {
      seldom(`${what}: ${error}`, (times) => log.error({ event: 'worker.problem', appid, what, error, id, times }))
    },
  }
}

/** What becomes of the app itself. */
function recordHolds(log: Logger, appid: string): Omit<HoldReport, 'problem'> {
  return {
    suspended({ hold, cause, reason }, until) {
      const { errcode, name, errmsg, rid } = reason
      log.warn({
        event: 'app.suspended',
        appid,
        hold,
        cause,
        errcode: errcode ?? undefined,
        reason: name,
        errmsg: errmsg === '' ? undefined : errmsg,
        rid,
        nextProbeAt: new Date(until).toISOString(),
      })
    },
    resumed() {
      log.info({ event: 'app.resumed', appid })
    },
    stillHeld() {
      log.info({ event: 'app.probe-failed', appid })
    },
  }
}
