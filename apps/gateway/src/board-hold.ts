/** What the dashboard says of an app that is held: beside the name of its queue, and in the sentence below it. */
import { reasonLine } from '@wechat-outbox/messages'
import type { Hold } from '@wechat-outbox/outbox/engine'
import { HIDDEN, knownReason, maskErrmsg } from './mask-words.ts'

export function holdWord({ fault, operator }: Hold): string {
  return operator === undefined && fault !== undefined ? fault.kind : 'paused'
}

export function holdSentence({ appid, fault, operator }: Hold, showContent: boolean): string {
  const lift = `wxo app resume ${appid} opens it now.`
  if (operator !== undefined) {
    return `Paused by an operator since ${time(operator.since)}${operator.why === '' ? '' : `: ${operator.why}`}. ${lift}`
  }
  if (fault === undefined) return `Paused with BullMQ. ${lift}`
  // A call that was refused may have been repeated in WeChat's words.
  const { name } = fault.reason
  const errmsg = showContent ? fault.reason.errmsg : maskErrmsg(fault.reason.errmsg)
  const reason = { ...fault.reason, name: knownReason(name) === undefined && !showContent ? HIDDEN : name }
  const next = fault.probing ? 'The next message is the probe.' : `Next probe ${time(fault.until)}.`
  const word = fault.kind === 'suspended' ? 'Suspended' : 'Throttled'
  // WeChat's own words may be long, and the page cuts the line at its end.
  const said = errmsg === '' ? '' : ` WeChat said: ${errmsg}`
  return `${word} since ${time(fault.since)}: ${reasonLine({ ...reason, errmsg: '' })}. ${next} ${lift}${said}`
}

function time(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace('T', ' ')}Z`
}
