import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERRCODE_PAGES } from '../scripts/errcodes-doc.ts'
import { OWN_REASONS, SEND_ERRCODES, TOKEN_ERRCODES } from '../src/index.ts'

const pages = ERRCODE_PAGES.map(({ url, text }) => ({ page: readFileSync(url, 'utf8'), text }))
const [{ page: document } = { page: '' }] = pages

/** The first two cells of every row under a heading, the table's own head aside. */
function rowsUnder(heading: string): string[] {
  const section = document.split(/^## /mu).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const lines = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, 3)
      .map((text) => text.trim())
      .join(' '),
  )
}

describe('docs/errcodes.md', () => {
  it('lists exactly the codes of a send, in the order of the table', () => {
    expect(rowsUnder('Answers to a send')).toEqual(SEND_ERRCODES.map((row) => `${row.errcode} ${row.name}`))
  })

  it('lists exactly the codes of the token endpoints', () => {
    expect(rowsUnder('Answers of the token endpoints')).toEqual(
      TOKEN_ERRCODES.map((row) => `${row.errcode} ${row.name}`),
    )
  })

  it('lists exactly the reasons of our own', () => {
    expect(rowsUnder('Reasons of our own')).toEqual(OWN_REASONS.map((row) => `${row.name} ${row.action}`))
  })

  it('is what the generator makes of the tables, to the letter', () => {
    for (const { page, text } of pages) expect(page).toBe(text)
  })
})
