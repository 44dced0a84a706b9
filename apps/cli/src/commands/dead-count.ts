/** `wxo dead count`: how many dead letters there are, and of what. */
import { type CountedBy, countDeadLetters, type LetterCounts } from '@wechat-outbox/outbox/engine'
import { OWN_REASONS, reasonKeys, sendErrcode } from '@wechat-outbox/policy'
import { chooseApp } from '../apps.ts'
import { UsageError } from '../failure.ts'
import { readFilter } from '../filter.ts'
import { type Output, plural, printTable, shortOpenid } from '../output.ts'
import { type Session, stored } from '../session.ts'
import type { DeadOptions } from './dead.ts'

const BY: readonly string[] = ['errcode', 'touser', 'hour'] satisfies CountedBy[]

export async function countDead(session: Session, options: DeadOptions): Promise<void> {
  const by = options.by ?? 'errcode'
  if (!BY.includes(by)) throw new UsageError(`--by must be one of ${BY.join(', ')}`)
  const filter = readFilter(options, Date.now())
  const appid = await chooseApp(session, options.app)
  const asked = { filter, by: by as CountedBy, reasons: reasonKeys() }
  const counted = await stored(countDeadLetters(await session.store(), appid, asked))
  const { output } = session
  if (output.json) return output.document({ appid, by, ...counted })
  printCounts(output, counted, asked.by)
  if (counted.total > 0) output.line()
  output.line(output.style('dim', `${plural(counted.total, 'dead letter')} of ${appid}.`))
}

export function printCounts(output: Output, { counts, others }: LetterCounts, by: CountedBy): void {
  const rows = counts.map(({ key, count }) => [
    String(count),
    by === 'touser' ? shortOpenid(key) : key,
    textOf(key, by),
  ])
  const all = others === 0 ? rows : [...rows, [String(others), 'others', '']]
  if (all.length > 0) printTable(output, ['LETTERS', by.toUpperCase(), ''], all)
}

/** What a code means. */
function textOf(key: string, by: CountedBy): string {
  if (by !== 'errcode') return ''
  const row = sendErrcode(Number(key))
  if (row !== undefined) return `${row.name}: ${row.meaning.en}`
  return OWN_REASONS.find(({ name }) => name === key)?.meaning.en ?? ''
}
