import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { z } from 'zod'
import { readListFile } from '../src/index.ts'

const SECRET = 'S3CRET'
const dir = mkdtempSync(join(tmpdir(), 'wxo-list-file-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const entry = z.strictObject(
  { name: z.string(), size: z.number().int('must be whole').default(7) },
  { error: ({ code }) => (code === 'unrecognized_keys' ? 'has another field' : undefined) },
)
const schema = z.array(entry).min(1, 'lists nothing')

const readAt = (path: string | undefined) => readListFile({ variable: 'FILE', path, schema })
function read(content: unknown) {
  const path = join(dir, 'list.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return readAt(path)
}

it('gives the entries as the schema makes them', () => {
  expect(read([{ name: 'a' }, { name: 'b', size: 1 }])).toEqual({
    entries: [
      { name: 'a', size: 7 },
      { name: 'b', size: 1 },
    ],
    problems: [],
  })
})

it('takes a missing or empty path for no file', () => {
  expect(readAt(undefined)).toEqual({ entries: [], problems: [] })
  expect(readAt('')).toEqual({ entries: [], problems: [] })
})

it.each([
  ['what is no JSON', `[{"name":"${SECRET}"`, ['FILE is not JSON']],
  ['what is nothing but a secret', SECRET, ['FILE is not JSON']],
  ['an empty file', '', ['FILE is not JSON']],
  ['what is no list', { name: SECRET }, ['FILE must be a list']],
  ['an empty list', [], ['FILE lists nothing']],
  ['a field that nobody knows', [{ name: 'a', [SECRET]: 1 }], ['FILE 0 has another field']],
  ['an entry among good ones', [{ name: 'a' }, { name: SECRET, size: 1.5 }], ['FILE 1.size must be whole']],
])('refuses %s as a whole, and repeats nothing of it', (_what, content, problems) => {
  expect(read(content)).toEqual({ entries: [], problems })
})

it('says all that is wrong at once', () => {
  const { problems } = read([{ name: 1 }, SECRET, { name: 'a', size: 1.5 }])
  expect(problems).toEqual([
    expect.stringMatching(/^FILE 0\.name /),
    expect.stringMatching(/^FILE 1 /),
    'FILE 2.size must be whole',
  ])
  expect(problems.join()).not.toContain(SECRET)
})

it('says of a file that cannot be read only that, and not where it is', () => {
  expect(readAt(join(dir, SECRET))).toEqual({ entries: [], problems: ['FILE cannot be read'] })
  expect(readAt(dir)).toEqual({ entries: [], problems: ['FILE cannot be read'] })
})
