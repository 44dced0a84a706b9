/**
 * Writes `docs/errcodes.md` and its Chinese page from the tables in `src/errcodes.ts`, as a part of `pnpm run docs`. The test beside it
 * fails while they differ.
 */
import { type ErrcodeAction, OWN_REASONS, OWN_SOURCE, SEND_ERRCODES, TOKEN_ERRCODES } from '../src/errcodes.ts'
import { en, type Words, zh } from './errcodes-words.ts'

const url = (name: string): URL => new URL(`../../../docs/${name}`, import.meta.url)

/** The pages, and what has to stand there. */
export const ERRCODE_PAGES = [
  { url: url('errcodes.md'), text: errcodesPage('en', en) },
  { url: url('errcodes.zh-CN.md'), text: errcodesPage('zh', zh) },
]

function errcodesPage(language: 'en' | 'zh', words: Words): string {
  return `${[
    words.title,
    words.other,
    words.intro,
    words.actionsTitle,
    Object.entries(words.actions)
      .map(([action, text]) => words.actionLine(action as ErrcodeAction, text))
      .join('\n'),
    words.end,
    words.sendTitle,
    table(
      words.sendColumns,
      SEND_ERRCODES.map((row) => {
        const inARow = row.suspendAfterInARow === undefined ? '' : words.suspendAt(row.suspendAfterInARow)
        return [
          row.errcode,
          row.name,
          words.actionName(row.action) + inARow,
          row.meaning[language],
          words.source(row.source),
        ]
      }),
    ),
    words.afterSend,
    words.tokenTitle,
    words.tokenIntro,
    table(
      words.sendColumns,
      TOKEN_ERRCODES.map((row) => [
        row.errcode,
        row.name,
        words.actionName(row.action),
        row.meaning[language],
        words.source(row.source),
      ]),
    ),
    words.ownTitle,
    words.ownIntro(OWN_SOURCE),
    table(
      words.ownColumns,
      OWN_REASONS.map((row) => [row.name, words.actionName(row.action), row.meaning[language]]),
    ),
    words.media,
    words.callsTitle,
    table(words.callsColumns, words.calls),
  ].join('\n\n')}\n`
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.map(cell).join(' | ')} |`
}

function cell(value: string | number): string {
  return String(value).replaceAll('\\', '\\\\').replaceAll('|', '\\|')
}
