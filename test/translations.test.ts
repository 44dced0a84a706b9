// A Chinese page has to say what the English one says. Whether a sentence was changed on one side alone nobody can test; that a section,
// a row of a table, a code block or a link was can be.
import { existsSync, globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const translations = globSync(['*.zh-CN.md', 'docs/*.zh-CN.md'], { cwd: ROOT })

interface Page {
  readonly headings: readonly number[]
  readonly code: readonly string[]
  readonly rows: number
  readonly items: number
  readonly links: readonly string[]
}

const FENCE = /^```[\s\S]*?^```$/gm
const INDENTED = /^(?: {4}.*\n)+/gm
const LINK = /\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g

function pageOf(text: string): Page {
  const prose = text.replace(FENCE, '').replace(INDENTED, '')
  const lines = prose.split('\n')
  return {
    headings: lines.flatMap((line) => (/^#+ /.test(line) ? [line.indexOf(' ')] : [])),
    code: [...(text.match(FENCE) ?? []), ...(text.match(INDENTED) ?? [])],
    rows: lines.filter((line) => line.startsWith('|')).length,
    items: lines.filter((line) => /^(?:- |\d+\. )/.test(line)).length,
    links: [...prose.matchAll(LINK)].map(([, target = '']) => target),
  }
}
const read = async (path: string) => pageOf(await readFile(join(ROOT, path), 'utf8'))
const isLocal = (link: string) => !/^[a-z]+:/.test(link)

it('there are Chinese pages', () => {
  expect(translations).toContain('README.zh-CN.md')
  expect(translations.length).toBeGreaterThan(3)
})

describe.each(translations)('%s', (path) => {
  it('has the sections, code blocks, tables and lists of the English page', async () => {
    const { links: _, ...english } = await read(path.replace('.zh-CN', ''))
    expect(await read(path)).toMatchObject(english)
  })

  it('leads to pages that exist, in Chinese where there is one, and to the English page', async () => {
    const folder = join(ROOT, dirname(path))
    const links = (await read(path)).links.filter(isLocal)
    const english = path.split('/').at(-1)?.replace('.zh-CN', '') ?? ''
    expect(links).toContain(english)
    expect(links.filter((link) => !existsSync(join(folder, link)))).toEqual([])
    const untranslated = links.filter(
      (link) => link.endsWith('.md') && link !== english && existsSync(join(folder, link.replace('.md', '.zh-CN.md'))),
    )
    expect(untranslated).toEqual([])
  })

  it('says of each page that is in English alone that it is', async () => {
    const english = path.split('/').at(-1)?.replace('.zh-CN', '') ?? ''
    // A paragraph that begins so lists English pages and nothing else.
    const prose = (await readFile(join(ROOT, path), 'utf8')).replaceAll(/^英文：.*(?:\n.+)*/gm, '')
    const unmarked = [...prose.matchAll(/\]\(([^):\s]+\.md)(?:#[^)\s]*)?\)(?!（英文）)/g)].map(([, link = '']) => link)
    expect(unmarked.filter((link) => link !== english && !link.endsWith('.zh-CN.md'))).toEqual([])
  })

  it('is linked from the English page', async () => {
    expect((await read(path.replace('.zh-CN', ''))).links).toContain(path.split('/').at(-1))
  })
})
