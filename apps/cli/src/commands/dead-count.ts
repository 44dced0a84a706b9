/** `wxo dead count`: how many dead letters there are, and of what. */
import { type CountedBy, countDeadLetters, type LetterCounts } from '@wechat-outbox/outbox/engine'
import { reasonKeys } from '@wechat-outbox/policy'
import { chooseApp } from '../apps.ts'
import { UsageError } from '../failure.ts'
import { explain, type Lang } from '../lang.ts'
import { type Output, plural, printTable, shortOpenid } from '../output.ts'
import { type Session, stored } from '../session.ts'
import { lengthen, readChoice } from '../shortened.ts'
import type { DeadOptions } from './dead.ts'

const BY: readonly string[] = ['errcode', 'touser', 'hour'] satisfies CountedBy[]

export async function countDead(session: Session, options: DeadOptions): Promise<void> {
  const by = options.by ?? 'errcode'
  if (!BY.includes(by)) throw new UsageError(`--by must be one of ${BY.join(', ')}`)
  const choice = readChoice(options, Date.now())
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  const asked = { filter: await lengthen(store, appid, choice), by: by as CountedBy, reasons: reasonKeys() }
  const counted = await stored(countDeadLetters(store, appid, asked))
  const { output } = session
  if (output.json) return output.document({ appid, by, ...counted })
  printCounts(output, counted, asked)
  if (counted.total > 0) output.line()
  output.line(output.style('dim', `${plural(counted.total, 'dead letter')} of ${appid}.`))
}

export function printCounts(
  output: Output,
  { counts, others }: LetterCounts,
  { by, indent = '' }: { by: CountedBy; indent?: string },
): void {
  const rows = counts.map(({ key, count }) => [
    indent + String(count),
    by === 'touser' ? shortOpenid(key) : key,
    by === 'errcode' ? meaningOf(key, output.lang) : '',
  ])
  const all = others === 0 ? rows : [...rows, [indent + String(others), 'others', '']]
  if (all.length > 0) printTable(output, [`${indent}LETTERS`, by.toUpperCase(), ''], all)
}

/** A reason of ours is its own key, and its name is not repeated. */
function meaningOf(key: string, lang: Lang): string {
  const known = explain(key, lang)
  if (known === undefined) return ''
  return known.name === key ? known.meaning : `${known.name}: ${known.meaning}`
}
