import { hashApiKey, keyEntrySchema } from '@wechat-outbox/runtime'
import { expect, it, vi } from 'vitest'
import { APP, documentOf, runCli } from './world.ts'

vi.setConfig({ testTimeout: 60_000 })

interface KeyDocument {
  readonly key: string
  readonly entry: { readonly id: string; readonly hash: string }
}

it('prints a key and its entry, without any environment', async () => {
  const result = await runCli(['key', 'new'])
  expect(result.code).toBe(0)
  const [key = '', entry = ''] = result.stdout.split('\n')
  expect(key).toMatch(/^wxo_[\w-]{43}$/)
  expect(keyEntrySchema.parse(JSON.parse(entry))).toEqual({
    id: expect.stringMatching(/^key-[\w-]{6}$/),
    hash: hashApiKey(key),
  })
  expect(result.stderr).not.toContain(key)
})

it('takes an id, apps and rights', async () => {
  const more = ['--id', 'crm', '--app', APP, '--app', 'wx00000000000000bb', '--app', APP, '--right', 'send']
  const { key, entry } = documentOf<KeyDocument>(await runCli(['key', 'new', ...more, '--json']))
  expect(entry).toEqual({ id: 'crm', hash: hashApiKey(key), apps: [APP, 'wx00000000000000bb'], rights: ['send'] })
})

it('takes limits', async () => {
  const more = ['--requests-per-second', '50', '--messages-per-second', '200']
  const { entry } = documentOf<KeyDocument>(await runCli(['key', 'new', ...more, '--json']))
  expect(entry).toMatchObject({ requestsPerSecond: 50, messagesPerSecond: 200 })
})

it('is another one every time', async () => {
  const [a, b] = await Promise.all([runCli(['key', 'new', '--json']), runCli(['key', 'new', '--json'])])
  expect(documentOf<KeyDocument>(a).key).not.toBe(documentOf<KeyDocument>(b).key)
})

it.each([
  [['--id', 'a b'], /--id must be/],
  [['--id', 'local'], /--id must not be/],
  [['--app', 'wx1'], /--app must be wx and 16 hex digits/],
  [['--messages-per-second', '0'], /--messages-per-second must be 1 or more/],
  [['--requests-per-second', 'many'], /--requests-per-second must be a whole number/],
  [['--right', 'admin'], /--right must be one of send, read, replay/],
])('refuses %j as wrong usage, and prints no key', async (args, message) => {
  const result = await runCli(['key', 'new', ...args])
  expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) })
})
