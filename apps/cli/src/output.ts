/**
 * What reaches the terminal. Messages, error texts and ids come from elsewhere, so whatever a terminal would obey is made
 * visible: in a cell or a sentence where it is put there, so that it cannot look like a style of ours, and in all that is
 * printed once more at the end.
 */
import { styleText } from 'node:util'
import { printable, printableLines } from '@wechat-outbox/runtime'
import type { Lang } from './lang.ts'

export { printable }

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

export interface Output {
  readonly json: boolean
  /** In which reasons are explained. */
  readonly lang: Lang
  /** A result, on stdout. With `--json` only documents go there. */
  line(text?: string): void
  /** One JSON document, on stdout. */
  document(value: unknown): void
  /** A remark for a person, on stderr: never part of a result. */
  note(text: string): void
  style(style: Style, text: string): string
}

export interface Streams {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

export function createOutput({ json, lang }: Pick<Output, 'json' | 'lang'>, { stdout, stderr }: Streams): Output {
  return {
    json,
    lang,
    line(text = '') {
      if (!json) stdout.write(`${withOwnStyles(text)}\n`)
    },
    document: (value) => void stdout.write(`${printableLines(JSON.stringify(value, null, 2))}\n`),
    note: (text) => void stderr.write(`${printableLines(text)}\n`),
    // It looks at the stream and at NO_COLOR itself.
    style: (style, text) => styleText(style, text, { stream: stdout }),
  }
}

/** Bold, dim, the three colours, and their ends: what `style` writes. */
// oxlint-disable-next-line no-control-regex
const OWN_STYLES = /(\u001b\[(?:1|2|22|31|32|33|39)m)/

function withOwnStyles(text: string): string {
  // Split by a group, every second part is a style.
  const parts = text.split(OWN_STYLES)
  return parts.map((part, index) => (index % 2 === 0 ? printableLines(part) : part)).join('')
}

/** An openid, shortened so that it can still be distinguished from others and does not take a third of the line. */
export function shortOpenid(openid: string): string {
  return openid.length <= 14 ? openid : `${openid.slice(0, 6)}…${openid.slice(-5)}`
}

/** Columns as wide as their widest cell, the last one as it is. Cells are made printable here; styles come after. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): { head: string; rows: string[] } {
  const clean = rows.map((row) => row.map(printable))
  const widths = head.map((title, column) => Math.max(title.length, ...clean.map((row) => (row[column] ?? '').length)))
  const lineOf = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')
  return { head: lineOf(head), rows: clean.map(lineOf) }
}

export function printTable(output: Output, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = table(head, rows)
  output.line(output.style('dim', lines.head))
  for (const row of lines.rows) output.line(row)
}

/** `key   value` lines with the keys in one column; undefined values are left out. */
export function printFields(output: Output, fields: readonly (readonly [string, string | undefined])[]): void {
  const given = fields.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))
  const width = Math.max(...given.map(([key]) => key.length))
  for (const [key, value] of given) output.line(`  ${output.style('dim', key.padEnd(width))}  ${printable(value)}`)
}

export function showBytes(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KiB`
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
