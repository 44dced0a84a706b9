// A reader follows one page after the other against the same sandbox. A key that stands beside two different messages would make the
// second page end in WXO_CONFLICT.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const PAGES = globSync(['README*.md', 'docs/*.md', 'packages/*/README.md'], { cwd: ROOT })

const CODE = /^```\w*\n([^]*?)^```$/gm
const KEY = /idempotency-?key['"]?: ?['"]*([\w-]+)/i
const TO = /touser['"]?: ?['"]([\w-]+)/
const CONTENT = /content['"]?: ?['"](.*?)['"]/

interface Example {
  readonly key: string
  /** To whom it sends what. */
  readonly message: string
}

/** The messages of a page that have a key: each call of curl, and each program. */
function examplesOf(text: string): Example[] {
  const calls = [...text.matchAll(CODE)].flatMap(([, code = '']) => code.split(/(?=^curl )/m))
  return calls.flatMap((call) => {
    const [key, to, content] = [KEY, TO, CONTENT].map((pattern) => pattern.exec(call)?.[1])
    return key === undefined ? [] : [{ key, message: `${to}: ${content}` }]
  })
}

it('no idempotency key stands beside two different messages', () => {
  const examples = PAGES.flatMap((page) => examplesOf(readFileSync(join(ROOT, page), 'utf8')))
  expect(examples.length).toBeGreaterThan(8)
  expect(examples.filter(({ message }) => message.includes('undefined'))).toEqual([])
  const messages = Map.groupBy(examples, ({ key }) => key)
  const shared = [...messages].filter(([, of]) => new Set(of.map(({ message }) => message)).size > 1)
  expect(shared.map(([key]) => key)).toEqual([])
})
