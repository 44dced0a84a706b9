/**
 * The judgement on a run, from three books that know nothing of each other: what the producers wrote down, what the fake
 * WeChat took, and what Redis says at the end. Pure, so that it can be shown to see what it is there to see.
 */

import type { SendEntry } from '@wechat-outbox/fake-wechat'
import type { StatusReport } from '@wechat-outbox/messages'
import type { Books } from './collect.ts'
import { type FiredFault, isRefusal } from './fault-plan.ts'
import { judgeRefused, type WindowsEvidence } from './judge-windows.ts'
import { isNearFault, isNearRefusal, whatWasNear } from './near-fault.ts'
import type { Plan } from './plan.ts'
import { type BookLine, readTimes } from './producer-book.ts'
import type { Stranded } from './stranded.ts'

export interface Evidence {
  readonly plan: Plan
  readonly producers: readonly (readonly BookLine[])[]
  /** Every send that the fake took, in order of arrival. */
  readonly accepted: readonly Pick<SendEntry, 'seq' | 'at' | 'rawBody'>[]
  readonly books: Books
  readonly fired: readonly FiredFault[]
  readonly stranded: readonly Stranded[]
  /**
   * Calls that the workers' logs name as unsure, by message id. A history loses the note of a run that itself dies or
   * loses its lock; its log line stands.
   */
  readonly unsureLogged: ReadonlyMap<string, number>
  /** Of the people who have reply windows. */
  readonly windows?: WindowsEvidence | undefined
}

export interface Violation {
  readonly what: string
  /** The message it happened to. */
  readonly key?: string
  /** Another that it is about. */
  readonly other?: string
}

export interface Figures {
  readonly acknowledged: number
  readonly delivered: number
  readonly dead: number
  readonly cancelled: number
  readonly accepted: number
  readonly doubles: number
  /** Calls that the faults can have left open, at most: the bound on doubles and on the unsure ones. */
  readonly openAtFaults: number
  /** Calls of which the messages' own histories say that nobody knows how they ended. */
  readonly unsureCalls: number
  /** Doubles of messages for which neither history nor log has such a call. */
  readonly doublesUnexplained: number
  /** Calls that were made again although no fault was near that leaves calls open, only a Redis that refused. */
  readonly doublesAtRefusals: number
  /** Commands that were answered with an error by a fault. */
  readonly refusedCommands: number
  readonly deadUnsure: number
  /** Pairs of neighbours whose order was promised. */
  readonly orderedPairs: number
  readonly outOfOrder: number
  readonly stranded: number
  readonly strandedInCalm: number
  readonly rejectedCalls: number
  readonly repeatedAcks: number
  /** Of users who have reply windows. */
  readonly actions: number
  /** Calls that WeChat refused because of a reply window. */
  readonly windowRefusals: number
}

export interface Verdict {
  readonly violations: readonly Violation[]
  readonly figures: Figures
}

/** What a request may take on its way over the loopback on a busy machine, in ms. */
const LATE_MS = 250

export function judge(evidence: Evidence): Verdict {
  const violations: Violation[] = []
  const complain: Complain = (what, key, other) =>
    void violations.push({ what, ...(key === undefined ? {} : { key }), ...(other === undefined ? {} : { other }) })
  const ledger = readLedger(evidence, complain)
  const acks = readAcks(evidence, complain)
  const ends = judgeEnds(evidence, { ledger, acks, complain })
  const doubles = judgeDoubles(evidence, { ledger, acks, complain })
  const order = judgeOrder(evidence, { ledger, acks, complain })
  // Only a worker that dies or stands still, or has no Redis, may forget to wake somebody.
  const forgetful = evidence.fired.filter(({ kind }) => /^(worker|redis)-/.test(kind))
  const strandedInCalm = evidence.stranded.filter(({ since }) => !isNearFault(since, forgetful, 0))
  for (const { id } of strandedInCalm) complain(`${id} was first and parked, and nobody woke it`)
  judgeLeftovers(evidence.books, complain)
  const refusedCommands = judgeRefusals(evidence, complain)
  const windows = judgeRefused(evidence, complain)
  return {
    violations,
    figures: {
      acknowledged: acks.ids.size,
      accepted: evidence.accepted.length,
      refusedCommands,
      stranded: evidence.stranded.length,
      strandedInCalm: strandedInCalm.length,
      rejectedCalls: evidence.producers.flat().filter(({ kind }) => kind === 'rejected').length,
      repeatedAcks: evidence.producers.flat().filter((line) => line.kind === 'acked' && line.duplicate).length,
      ...ends,
      ...doubles,
      ...order,
      ...windows,
    },
  }
}

type Complain = (what: string, key?: string, other?: string) => void
/** When each message was taken by WeChat: one entry, and one more for each double. */
type Ledger = ReadonlyMap<string, readonly { seq: number; at: number }[]>
interface Acks {
  readonly ids: ReadonlyMap<string, string>
}
interface Read {
  readonly ledger: Ledger
  readonly acks: Acks
  readonly complain: Complain
}

function readLedger({ accepted, plan }: Evidence, complain: Complain): Ledger {
  const ledger = new Map<string, { seq: number; at: number }[]>()
  for (const { seq, at, rawBody } of accepted) {
    const key = (JSON.parse(rawBody) as { text?: { content?: string } }).text?.content ?? ''
    if (!plan.messages.has(key)) complain(`WeChat was sent something that nobody planned: ${rawBody}`)
    const entries = ledger.get(key)
    if (entries === undefined) ledger.set(key, [{ seq, at }])
    else entries.push({ seq, at })
  }
  return ledger
}

function readAcks({ producers, plan, fired }: Evidence, complain: Complain): Acks {
  const ids = new Map<string, string>()
  const wasFull = fired.some(({ kind }) => kind === 'refuse-oom' || kind === 'errors-at-random')
  for (const line of producers.flat()) {
    if (line.kind === 'rejected' && line.code !== 'WXO_UNAVAILABLE' && !(wasFull && line.code === 'WXO_FULL'))
      complain(`a send was refused: ${line.code}`, line.key)
    if (line.kind !== 'acked') continue
    const before = ids.get(line.key)
    if (before !== undefined && before !== line.id) complain(`acknowledged as ${before} and as ${line.id}`, line.key)
    ids.set(line.key, line.id)
  }
  for (const key of plan.messages.keys()) if (!ids.has(key)) complain('was never acknowledged', key)
  return { ids }
}

function judgeEnds({ books, plan, fired }: Evidence, { ledger, acks, complain }: Read) {
  const count = { delivered: 0, dead: 0, cancelled: 0, deadUnsure: 0 }
  const letters = new Map<string, number>()
  for (const { messageId } of books.deadLetters) letters.set(messageId, (letters.get(messageId) ?? 0) + 1)
  for (const [key, id] of acks.ids) {
    const report = books.statuses.get(id)
    judgeLateness({ report, fired }, ledger.get(key) ?? [], (what) => complain(what, key))
    const taken = ledger.get(key)?.length ?? 0
    const inLetters = letters.get(id) ?? 0
    letters.delete(id)
    switch (report?.status) {
      case 'delivered':
        count.delivered += 1
        if (taken === 0) complain(`is delivered in the books, and WeChat never took it (${id})`, key)
        if (inLetters > 0) complain(`is delivered and a dead letter (${id})`, key)
        break
      case 'dead': {
        count.dead += 1
        if (inLetters !== 1) complain(`is dead, with ${inLetters} dead letters (${id})`, key)
        const reason = books.deadLetters.find(({ messageId }) => messageId === id)?.reason.name ?? 'none'
        const unsureAt = report.attempts.findLast(({ outcome }) => outcome === 'unsure')?.at
        if (unsureAt !== undefined && !isNearFault(unsureAt, fired)) {
          complain(`died of a call at ${unsureAt}, where ${whatWasNear(unsureAt, fired)} (${id})`, key)
        }
        if (reason === 'unsure') count.deadUnsure += 1
        if (reason !== 'unsure' || plan.messages.get(key)?.ifUnsure !== 'dead-letter') {
          complain(`died of ${reason} (${id})`, key)
        }
        break
      }
      case 'cancelled':
        count.cancelled += 1
        if (taken > 0) complain(`is cancelled, and WeChat took it (${id})`, key)
        if (inLetters > 0) complain(`is cancelled and a dead letter (${id})`, key)
        break
      default:
        complain(`has not ended: ${report?.status ?? 'nobody knows it'} (${id})`, key)
    }
  }
  for (const id of letters.keys()) complain(`the dead letter of ${id} belongs to no message that was acknowledged`)
  if (books.jobs !== count.delivered) complain(`${books.jobs} jobs are kept for ${count.delivered} delivered messages`)
  return count
}

/**
 * A call belongs to a lease, so none begins once somebody else has brought the message to its end. What had begun may
 * arrive late where the connection to WeChat stood still.
 */
function judgeLateness(
  { report, fired }: { report: StatusReport | null | undefined; fired: readonly FiredFault[] },
  entries: readonly { seq: number; at: number }[],
  complain: (what: string) => void,
): void {
  if (report?.settledAt === undefined) return
  const endedAt = Date.parse(report.settledAt)
  const stalls = fired.filter(({ kind }) => kind === 'wechat-stall')
  for (const { at } of entries) {
    const held = stalls.some(({ from, until }) => at >= from && at <= until + LATE_MS)
    if (at > endedAt + LATE_MS && !held) complain(`reached WeChat ${at - endedAt} ms after it had ended`)
  }
}

function judgeDoubles({ books, fired, plan, unsureLogged }: Evidence, { ledger, acks, complain }: Read) {
  const openAtFaults = fired.reduce((sum, fault) => sum + fault.open, 0)
  const count = { doubles: 0, doublesUnexplained: 0, doublesAtRefusals: 0, unsureCalls: 0 }
  for (const report of books.statuses.values()) count.unsureCalls += unsureIn(report)
  for (const [key, entries] of ledger) {
    const doubles = entries.length - 1
    if (doubles === 0) continue
    count.doubles += doubles
    const id = acks.ids.get(key) ?? ''
    const unsure = Math.max(unsureIn(books.statuses.get(id)), unsureLogged.get(id) ?? 0)
    count.doublesUnexplained += Math.max(0, doubles - unsure)
    if (plan.messages.get(key)?.ifUnsure === 'dead-letter') complain('was sent twice, and was never to be', key)
    if (doubles > unsure) complain(`was taken ${doubles} times too often, and ${unsure} of its calls were unsure`, key)
    // Each but the last was sent again: something must have become of its own call or of its settling.
    for (const { at } of entries.slice(0, -1)) {
      if (isNearFault(at, fired)) continue
      if (isNearRefusal(at, fired)) count.doublesAtRefusals += 1
      complain(`was taken at ${at}, where ${whatWasNear(at, fired)}, and yet sent again`, key)
    }
  }
  if (count.doubles > openAtFaults) complain(`${count.doubles} doubles, and at most ${openAtFaults} calls were open`)
  const deadUnsure = books.deadLetters.filter(({ reason }) => reason.name === 'unsure').length
  if (deadUnsure > openAtFaults) complain(`${deadUnsure} are unsure, and at most ${openAtFaults} calls were open`)
  return { ...count, openAtFaults }
}

function unsureIn(report: Books['statuses'] extends ReadonlyMap<string, infer R> ? R | undefined : never): number {
  return report?.attempts.filter(({ outcome }) => outcome === 'unsure').length ?? 0
}

/** A refusal that met no command has shown nothing. */
function judgeRefusals({ fired }: Evidence, complain: Complain): number {
  const refusals = fired.filter(({ kind }) => isRefusal(kind))
  for (const { kind, from, refused = 0 } of refusals) {
    if (refused === 0) complain(`${kind} at ${from} met no command`)
  }
  return refusals.reduce((sum, { refused = 0 }) => sum + refused, 0)
}

/**
 * Promised is: a before b if a was acknowledged before b was first called, or if both are calls of one burst and no call
 * of that burst was made twice. Doubles come when they come: the first arrival of each counts. Not judged are those that
 * died as unsure, because their one call may arrive when others have long been sent.
 */
function judgeOrder({ plan, producers, books }: Evidence, { ledger, acks, complain }: Read) {
  const dead = new Set(books.deadLetters.map(({ messageId }) => messageId))
  const lines = readTimes(producers)
  const count = { orderedPairs: 0, outOfOrder: 0 }
  for (const { bursts } of plan.producers) {
    /** Per recipient: the latest first arrival among all that were acknowledged before, and whose it was. */
    const latest = new Map<string, { seq: number; key: string; ackedAt: number }>()
    for (const burst of bursts) {
      const clean = burst.every(({ key }) => lines.calls.get(key) === 1)
      const arrived = burst.flatMap(({ key }) => {
        const seq = ledger.get(key)?.[0]?.seq
        return seq === undefined || dead.has(acks.ids.get(key) ?? '') ? [] : [{ key, seq }]
      })
      const touser = burst[0]?.touser ?? ''
      const before = latest.get(touser)
      for (const [place, { key, seq }] of arrived.entries()) {
        const pairs = [
          ...(before !== undefined && before.ackedAt < (lines.firstCall.get(key) ?? 0) ? [before] : []),
          ...(clean ? arrived.slice(0, place) : []),
        ]
        count.orderedPairs += pairs.length
        for (const earlier of pairs.filter((other) => other.seq > seq)) {
          count.outOfOrder += 1
          complain(`reached WeChat (${seq}) before ${earlier.key} (${earlier.seq})`, key, earlier.key)
        }
      }
      for (const { key, seq } of arrived) {
        const ackedAt = lines.firstAck.get(key) ?? Infinity
        const known = latest.get(touser)
        if (known === undefined || seq > known.seq) latest.set(touser, { key, seq, ackedAt })
      }
    }
  }
  return count
}

function judgeLeftovers({ leftovers }: Books, complain: Complain): void {
  for (const [state, count] of Object.entries(leftovers.open)) complain(`left over: ${count} × ${state}`)
  for (const lane of leftovers.lanes.slice(0, 10)) complain(`left over: ${lane}`)
  for (const lock of leftovers.locks.slice(0, 10)) complain(`left over: ${lock}`)
}
