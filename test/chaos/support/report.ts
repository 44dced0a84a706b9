/** What a run says of itself: a table for people, and on failure all that is needed to look for the cause. */

import type { Cast } from './cast.ts'
import { FAULT_KINDS, type FaultKind } from './fault-plan.ts'
import type { Evidence, Figures, Verdict, Violation } from './judge.ts'

export interface RunSummary {
  readonly seed: number
  readonly durationMs: number
  readonly answers: Readonly<Record<string, number>>
}

export function countFired({ fired }: Pick<Evidence, 'fired'>): Record<FaultKind, number> {
  const counts = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>
  for (const { kind } of fired) counts[kind] += 1
  return counts
}

export function formatReport(run: RunSummary, evidence: Evidence, { figures }: Verdict): string {
  const faults = Object.entries(countFired(evidence)).map(([kind, count]) => [kind, String(count)] as const)
  const rows = [
    ['seed', String(run.seed)],
    ['seconds', (run.durationMs / 1000).toFixed(1)],
    ...labelled(figures),
    ['answers', JSON.stringify(run.answers)],
    ...evidence.stranded.map(
      ({ id, since }) => [`stranded since ${since}`, `${id} ${faultsAround(evidence, since)}`] as const,
    ),
    ...faults,
  ] as const
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')
}

function labelled(figures: Figures): (readonly [string, string])[] {
  const names: Record<keyof Figures, string> = {
    acknowledged: 'acknowledged',
    delivered: 'delivered',
    dead: 'dead',
    deadUnsure: '  of them unsure',
    cancelled: 'cancelled',
    accepted: 'taken by WeChat',
    doubles: 'doubles',
    openAtFaults: '  calls open at the faults, at most',
    unsureCalls: '  unsure calls in the histories',
    doublesUnexplained: '  doubles without one, logs included',
    doublesAtRefusals: '  doubles where Redis only refused',
    refusedCommands: 'commands that Redis refused',
    orderedPairs: 'pairs with a promised order',
    outOfOrder: '  out of order',
    stranded: 'woken by the parked minute alone',
    strandedInCalm: '  without a fault near',
    rejectedCalls: 'rejected sends',
    repeatedAcks: 'repeats that found their message',
    actions: 'actions of users',
    windowRefusals: 'calls refused by reply windows',
  }
  return Object.entries(names).map(([field, name]) => [name, String(figures[field as keyof Figures])] as const)
}

/** The faults of the seconds around, from when to when, in ms relative to that moment. */
function faultsAround({ fired }: Evidence, at: number): string {
  const before = fired.filter(({ from, until }) => from <= at + AROUND_MS && until >= at - AROUND_MS)
  return before.map(({ kind, from, until }) => `${kind} ${from - at}…${until - at}`).join(', ')
}

const AROUND_MS = 6000
const VIOLATIONS_SHOWN = 20

/** Each violation with the message's whole history: in the producers' books, at WeChat, in Redis, in the workers' logs. */
export function formatViolations(cast: Cast, evidence: Evidence, { violations }: Verdict): string {
  const shown = violations.slice(0, VIOLATIONS_SHOWN).map((violation) => formatViolation(cast, evidence, violation))
  const more = violations.length > shown.length ? [`and ${violations.length - shown.length} more`] : []
  const faults = evidence.fired.map(({ kind, from, until }) => `${from}–${until} ${kind}`)
  return [...shown, ...more, 'faults:', ...faults].join('\n')
}

function formatViolation(cast: Cast, evidence: Evidence, { what, key, other }: Violation): string {
  if (key === undefined) return `- ${what}`
  const histories = [key, ...(other === undefined ? [] : [other])].map((one) => historyOf(cast, evidence, one))
  return [`- ${key} ${what}`, ...histories].join('\n')
}

function historyOf(cast: Cast, evidence: Evidence, key: string): string {
  const lines = evidence.producers.flat().filter((line) => line.key === key)
  const id = lines.flatMap((line) => (line.kind === 'acked' ? [line.id] : []))[0] ?? ''
  const taken = evidence.accepted.filter(({ rawBody }) => rawBody.includes(`"${key}"`))
  const logs = cast.workers.flatMap((worker) =>
    worker.all().flatMap((child) =>
      child
        .stdout()
        .split('\n')
        .filter((line) => id !== '' && line.includes(id))
        .map((line) => `    ${worker.name} ${child.pid} ${line}`),
    ),
  )
  return [
    `    producer: ${JSON.stringify(lines)}`,
    `    WeChat: ${JSON.stringify(taken.map(({ seq, at }) => ({ seq, at })))}`,
    `    status: ${JSON.stringify(evidence.books.statuses.get(id) ?? null)}`,
    ...logs,
  ].join('\n')
}
