import { expect, it } from 'vitest'
import { digestApiKey, hashApiKey, keyEntrySchema, newApiKey, readApiKeyHash } from '../src/index.ts'

it('makes keys that can be told from other things and never meet', () => {
  const keys = Array.from({ length: 100 }, newApiKey)
  expect(new Set(keys).size).toBe(100)
  for (const key of keys) expect(key).toMatch(/^wxo_[\w-]{43}$/)
})

it('reads the digest of a key from its hash', () => {
  const key = newApiKey()
  expect(hashApiKey(key)).toMatch(/^sha256:[\w-]{43}$/)
  expect(readApiKeyHash(hashApiKey(key))?.equals(digestApiKey(key))).toBe(true)
})

it.each(['', 'sha256:', 'sha512:', ' ', hashApiKey('x').slice(7), hashApiKey('x').slice(0, -1), `${hashApiKey('x')}=`])(
  'reads no digest from "%s"',
  (text) => {
    expect(readApiKeyHash(text)).toBeNull()
  },
)

it('does not repeat a key that stands in the place of a field’s name', () => {
  const key = newApiKey()
  const { error } = keyEntrySchema.safeParse({ id: 'crm', hash: hashApiKey(key), [key]: true })
  expect(error?.issues.map(({ message }) => message)).toEqual([
    'has a field other than id, hash, apps, rights, requestsPerSecond and messagesPerSecond',
  ])
})
