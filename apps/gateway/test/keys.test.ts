import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashApiKey, newApiKey } from '@wechat-outbox/runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readKeys } from '../src/keys.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function fileWith(content: unknown): Promise<string> {
  const path = join(dir, 'keys.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const entry = (more: object = {}) => ({ id: 'crm', hash: hashApiKey(newApiKey()), ...more })

describe('GATEWAY_API_KEYS', () => {
  const [first, second] = ['0123456789-abcdefghij-XYZ', newApiKey()]

  it('gives every key all apps and rights', () => {
    const { keys, problems } = readKeys({ GATEWAY_API_KEYS: `${first}, ${second}` })
    expect(problems).toEqual([])
    expect(keys.map(({ rights, apps }) => ({ rights, apps }))).toEqual(
      [1, 2].map(() => ({ rights: ['send', 'read', 'replay', 'act'], apps: undefined })),
    )
  })

  it('gives a key the same id in whatever order they stand', () => {
    const ids = (list: string) => readKeys({ GATEWAY_API_KEYS: list }).keys.map(({ id }) => id)
    const [a = '', b = ''] = ids(`${first},${second}`)
    expect(a).toMatch(/^env-[\w-]{6}$/)
    expect(ids(`${second},${first}`)).toEqual([b, a])
    expect(ids(second)).toEqual([b])
  })

  it.each(['short', '', 'with a space in between it', 'x'.repeat(257), 'ünicode-ünicode-ünicode-x'])(
    'refuses "%s" by its place',
    (bad) => {
      const { problems } = readKeys({ GATEWAY_API_KEYS: `${first},${bad}` })
      expect(problems).toEqual(['GATEWAY_API_KEYS: key 2 must have 24 to 256 visible ASCII characters'])
    },
  )
})

describe('GATEWAY_KEYS_FILE', () => {
  it('takes ids, hashes, apps and rights', async () => {
    const apps = ['wx0000000000000001']
    const path = await fileWith([entry(), entry({ id: 'bi', apps, rights: ['read'] })])
    const { keys, problems } = readKeys({ GATEWAY_KEYS_FILE: path })
    expect(problems).toEqual([])
    expect(keys.map(({ id, apps, rights }) => ({ id, apps, rights }))).toEqual([
      { id: 'crm', apps: undefined, rights: ['send', 'read', 'replay', 'act'] },
      { id: 'bi', apps, rights: ['read'] },
    ])
  })

  it.each([
    ['a file that is no JSON', '{"id": "geheim', /^GATEWAY_KEYS_FILE is not JSON$/],
    ['no list', { id: 'crm' }, /^GATEWAY_KEYS_FILE must be a list$/],
    ['an empty list', [], /lists no key$/],
    ['a key in a hash’s place', [{ id: 'crm', hash: 'wxo_geheim-geheim-geheim-geheim' }], /0\.hash must be a hash/],
    ['a hash cut short', [{ id: 'crm', hash: hashApiKey('x').slice(0, -1) }], /0\.hash must be a hash/],
    ['a hash of another kind', [{ id: 'crm', hash: `sha512:${'A'.repeat(43)}` }], /0\.hash must be a hash/],
    ['a bad id', [entry({ id: 'a b' })], /0\.id must be 1 to 64 letters/],
    ['an id of ours', [entry({ id: 'local' })], /0\.id must not be/],
    ['an id like those of the variable', [entry({ id: 'env-abc' })], /0\.id must not be/],
    ['a bad app', [entry({ apps: ['wx1'] })], /0\.apps\.0 /],
    ['no app', [entry({ apps: [] })], /0\.apps must name an app/],
    ['a limit of nothing', [entry({ requestsPerSecond: 0 })], /0\.requestsPerSecond must be 1 or more/],
    [
      'a limit that is no whole number',
      [entry({ messagesPerSecond: 1.5 })],
      /0\.messagesPerSecond must be a whole number/,
    ],
    ['an unknown right', [entry({ rights: ['admin'] })], /0\.rights\.0 /],
    ['no right', [entry({ rights: [] })], /0\.rights must name a right/],
    ['an unknown field', [entry({ geheim: 1 })], /^GATEWAY_KEYS_FILE 0 has a field other than/],
    ['an id twice', [entry(), entry()], /^two keys have the id crm$/],
  ])('refuses %s, and repeats nothing of it', async (_, content, problem) => {
    const { problems } = readKeys({ GATEWAY_KEYS_FILE: await fileWith(content) })
    expect(problems).toEqual([expect.stringMatching(problem)])
    expect(problems.join()).not.toContain('geheim')
  })

  it('refuses a key that stands there twice, or in the variable as well', async () => {
    const key = newApiKey()
    const path = await fileWith([{ id: 'a', hash: hashApiKey(key) }])
    const { problems } = readKeys({ GATEWAY_API_KEYS: key, GATEWAY_KEYS_FILE: path })
    expect(problems).toEqual([expect.stringMatching(/^env-[\w-]{6} and a are the same key$/)])
  })

  it('names every problem at once', async () => {
    const path = await fileWith([entry({ id: '' }), entry({ rights: [] }), { id: 'x' }])
    expect(readKeys({ GATEWAY_API_KEYS: 'short', GATEWAY_KEYS_FILE: path }).problems).toHaveLength(4)
  })

  it('says that it cannot be read', () => {
    const { problems } = readKeys({ GATEWAY_KEYS_FILE: join(dir, 'geheim') })
    expect(problems).toEqual(['GATEWAY_KEYS_FILE cannot be read'])
  })
})
