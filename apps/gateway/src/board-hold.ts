/** What the dashboard says of an app that is held: beside the name of its queue, and in the sentence below it. */
import { type HoldKind, reasonLine } from '@wechat-outbox/messages'
import type { HeldFault, Hold } from '@wechat-outbox/outbox/engine'
import { HIDDEN, knownReason, maskErrmsg } from './mask-words.ts'

/** A fault and a pause stand side by side: whoever ends one of them has not ended the other. */
export function holdWords({ fault, operator, pausedElsewhere }: Hold, showContent: boolean): string[] {
  const isPaused = operator !== undefined || pausedElsewhere
  return [
    ...(fault === undefined ? [] : [`${fault.kind}: ${shownReason(fault, showContent)}`]),
    ...(isPaused ? ['paused'] : []),
  ]
}

export function holdSentence({ appid, fault, operator, pausedElsewhere }: Hold, showContent: boolean): string {
  const isPaused = operator !== undefined || pausedElsewhere
  const why = operator === undefined || operator.why === '' ? '' : `: ${operator.why}`
  const sentences = [
    fault && `${WORDS[fault.kind]} since ${time(fault.since)}: ${shownReason(fault, showContent)}.`,
    operator && `Paused by an operator since ${time(operator.since)}${why}.`,
    operator === undefined && pausedElsewhere ? 'Paused with BullMQ.' : undefined,
    fault && nextProbe(fault, isPaused),
    `wxo app resume ${appid} opens it now.`,
    // WeChat's own words may be long, so they come last.
    fault && saidOf(fault, showContent),
  ]
  return sentences.filter((sentence) => sentence !== undefined && sentence !== '').join(' ')
}

const WORDS = { suspended: 'Suspended', throttled: 'Throttled' } as const satisfies Record<HoldKind, string>

function nextProbe({ probing, until }: HeldFault, isPaused: boolean): string {
  if (isPaused) return 'While it is paused, no message probes.'
  return probing ? 'The next message is the probe.' : `Next probe ${time(until)}.`
}

function shownReason({ reason }: HeldFault, showContent: boolean): string {
  const { name } = reason
  const isShown = showContent || knownReason(name) !== undefined
  return reasonLine({ ...reason, name: isShown ? name : HIDDEN, errmsg: '' })
}

/** A call that was refused may have been repeated in WeChat's words. */
function saidOf({ reason }: HeldFault, showContent: boolean): string {
  if (reason.errmsg === '') return ''
  return `WeChat said: ${showContent ? reason.errmsg : maskErrmsg(reason.errmsg)}`
}

function time(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace('T', ' ')}Z`
}
