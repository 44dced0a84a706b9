/** `--dry-run`: what a replay or a discard would do, at a glance. */
import { replayIdOf } from '@wechat-outbox/messages'
import { EXIT } from '../failure.ts'
import { type Output, plural, printable } from '../output.ts'
import type { SelectedLetter, Selection } from './dead-select.ts'

const LINES_MAX = 20

interface Planned {
  readonly appid: string
  readonly verb: 'replay' | 'discard'
  readonly selection: Selection
}

interface PlannedItem {
  readonly id: string
  readonly result: 'would-replay' | 'would-discard' | 'unknown' | 'unreadable'
  readonly reason?: string
  readonly replayedAs?: string
}

export function preview(output: Output, { appid, verb, selection }: Planned): number {
  const items = selection.letters.map((letter) => plan(verb, letter))
  const ready = items.filter(({ result }) => result === 'would-replay' || result === 'would-discard')
  const failed = items.length - ready.length
  if (output.json)
    output.document({ appid, dryRun: true, done: 0, would: ready.length, failed, more: selection.more, items })
  for (const item of items.slice(0, LINES_MAX)) output.line(lineOf(output, item))
  if (items.length > LINES_MAX) output.line(output.style('dim', `… and ${items.length - LINES_MAX} more`))
  if (items.length > 0) output.line()
  for (const [reason, count] of byReason(ready)) output.line(`${String(count).padStart(6)}  ${printable(reason)}`)
  const unmet = failed === 0 ? '' : ` ${failed} could not be.`
  output.line(`Would ${verb} ${plural(ready.length, 'dead letter')} of ${appid}; nothing was done.${unmet}`)
  if (selection.more) output.line('There are more than these.')
  return failed === 0 ? EXIT.done : EXIT.failed
}

function plan(verb: Planned['verb'], { id, reason, readable }: SelectedLetter): PlannedItem {
  if (reason === undefined) return { id, result: 'unknown' }
  if (verb === 'discard') return { id, result: 'would-discard', reason }
  return readable === false
    ? { id, result: 'unreadable', reason }
    : { id, result: 'would-replay', reason, replayedAs: replayIdOf(id) }
}

function byReason(items: readonly PlannedItem[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const { reason = '' } of items) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].sort(([, left], [, right]) => right - left)
}

function lineOf(output: Output, item: PlannedItem): string {
  switch (item.result) {
    case 'would-replay':
      return `${item.id} → ${item.replayedAs}  ${output.style('dim', printable(item.reason ?? ''))}`
    case 'would-discard':
      return `${item.id}  ${output.style('dim', printable(item.reason ?? ''))}`
    case 'unknown':
      return `${item.id} ${output.style('red', 'is not there')}`
    case 'unreadable':
      return `${item.id} ${output.style('red', 'cannot be read, so it cannot be replayed')}`
  }
}
