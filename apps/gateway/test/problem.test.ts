// The catalogue of problems and its page: what a client may meet is documented, and what is documented can be met.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROBLEMS } from '../src/problem.ts'
import { operations } from '../src/v1/operations.ts'

const ROOT = join(import.meta.dirname, '../../..')
const page = readFileSync(join(ROOT, 'docs/http.md'), 'utf8')

describe('the catalogue of problems', () => {
  it('is the table of docs/http.md, with the same status', () => {
    const rows = [...page.matchAll(/^\| `([\w-]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)])
    expect(rows).toEqual(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]))
  })

  it('has no entry that nobody gives', () => {
    const sources = globSync('../src/**/*.ts', { cwd: import.meta.dirname }).filter(
      (file) => !file.endsWith('operations.ts'),
    )
    const code = sources.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8')).join('\n')
    // The entry itself is followed by its status; OutboxError's codes are handed on as they are.
    const given = (name: string): boolean => new RegExp(`code: '${name}'|case '${name}'`).test(code)
    expect(Object.keys(PROBLEMS).filter((name) => !given(name))).toEqual([])
  })
})

it('has every call of the API on the page, with a line that calls it', () => {
  for (const { method, path } of Object.values(operations)) {
    const [start = '', end] = path.split('{appid}')
    const pattern = (end ?? '').replaceAll(/\{id\}/g, '[dmr]-\\w+').replaceAll(/\{openid\}/g, '[\\w-]+')
    const flag = method === 'DELETE' || /:(replay|pause|resume)$/.test(path) ? `-X ${method} ` : ''
    if (end === undefined) {
      expect(page).toContain(`curl http://127.0.0.1:3000${start} `)
      continue
    }
    expect(page).toMatch(new RegExp(`^curl ${flag}"\\$URL${pattern}["?]`, 'm'))
  }
})
