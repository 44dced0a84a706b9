/** What became of the samples, for a person to read. */
import type { Attempt, StatusReport } from '@wechat-outbox/messages'
import type { SampleEnd } from './run-samples.ts'

const HEADINGS = ['message', 'kind', 'outcome', 'attempts'] as const

/** The lines of a table, without a frame. Its text is ASCII, so that columns stay columns in every terminal. */
export function tableOf(ends: readonly SampleEnd[]): string[] {
  const rows = [HEADINGS, ...ends.map(rowOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return lines.toSpliced(1, 0, rule)
}

function rowOf({ name, report, reason }: SampleEnd): string[] {
  if (report === null) return [name, '', 'unknown', '']
  return [name, report.msgtype, outcomeOf(report, reason), report.attempts.map(answerOf).join(', ')]
}

function outcomeOf({ status, attempts }: StatusReport, reason = ''): string {
  switch (status) {
    case 'delivered':
      if (attempts.some(({ outcome }) => outcome === 'token-refreshed')) return 'delivered with a new token'
      if (attempts.some(({ outcome }) => outcome === 'waiting-for-user')) return 'delivered once its user had written'
      return attempts.length > 1 ? 'delivered after a retry' : 'delivered'
    case 'dead':
    case 'replayed':
      return `dead: ${reason}`
    default:
      return `still ${status}`
  }
}

function answerOf({ outcome, errcode }: Attempt): string {
  return outcome === 'delivered' ? 'ok' : String(errcode ?? outcome)
}
