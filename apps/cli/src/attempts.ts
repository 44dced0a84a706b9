/** The tries of a message as a table: what an operator reads first. */
import type { Attempt } from '@wechat-outbox/messages'
import { answerText } from './lang.ts'
import { type Output, printTable } from './output.ts'
import { showTime } from './times.ts'

/** WeChat's own text has the rid mostly. */
function withRid(answer: string, rid: string | undefined): string {
  if (rid === undefined || answer.includes(rid)) return answer
  return answer === '' ? `rid ${rid}` : `${answer}, rid ${rid}`
}

export function printAttempts(output: Output, attempts: readonly Attempt[]): void {
  if (attempts.length === 0) return output.line('  no attempt was made')
  const rows = attempts.map(({ at, outcome, ms, errcode, errmsg, rid }) => [
    `  ${showTime(at)}`,
    outcome,
    errcode === undefined ? '–' : String(errcode),
    `${Math.round(ms)} ms`,
    withRid(answerText(errcode, errmsg ?? '', output.lang), rid),
  ])
  printTable(output, ['  WHEN', 'OUTCOME', 'ERRCODE', 'TOOK', 'ANSWER'], rows)
}
