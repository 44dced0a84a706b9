/** Why an app is held, in the words of `wxo status` and `wxo app ls`, and why its receiver of callbacks is. */
import { reasonLine } from '@wechat-outbox/messages'
import type { Hold, ReceiverHold } from '@wechat-outbox/outbox/engine'
import type { Lang } from './lang.ts'
import { showDuration, showTime } from './times.ts'

/** A line for each thing that holds it: an operator's pause and a fault may stand side by side. */
export function holdLines(hold: Hold, nowMs: number, lang: Lang): string[] {
  const { fault, operator, pausedElsewhere } = hold
  const lines: string[] = []
  if (operator !== undefined) {
    const by = operator.by === undefined ? '' : `, ${operator.by},`
    const why = operator.why === '' ? '' : `: ${operator.why}`
    lines.push(`paused by an operator${by} since ${showTime(operator.since)}${why}`)
  }
  if (pausedElsewhere) lines.push('paused with BullMQ, by other means than wxo')
  if (fault !== undefined) {
    const { kind, reason, since, until, probing } = fault
    const next = probing ? 'the next message is the probe' : `next probe ${nextProbe(until, nowMs)}`
    lines.push(`${kind} since ${showTime(since)}, ${next}: ${reasonLine(reason)} (${reason.meaning[lang]})`)
  }
  return lines
}

function nextProbe(untilMs: number, nowMs: number): string {
  return untilMs <= nowMs ? 'now' : `in ${showDuration(untilMs - nowMs)} (${showTime(untilMs)})`
}

/** `has failed for 1h (status 500) and is tried now and then` */
export function receiverText({ reason, since, until }: ReceiverHold, nowMs: number): string {
  const next = until === null ? 'is not tried any more' : 'is tried now and then'
  return `has failed for ${showDuration(nowMs - since)} (${reason}) and ${next}`
}
