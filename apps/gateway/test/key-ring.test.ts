import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, digestApiKey, hashApiKey, newApiKey } from '@wechat-outbox/runtime'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type KeyRing, openKeyRing } from '../src/key-ring.ts'

const [first, second] = [newApiKey(), newApiKey()]
let dir: string
let path: string
let ring: KeyRing
let lines: string[]
const log = createLogger({ level: 'debug', name: 'gateway', destination: { write: (line) => void lines.push(line) } })

const write = (keys: unknown) => writeFile(path, typeof keys === 'string' ? keys : JSON.stringify(keys))
const ids = () => [first, second].map((key) => ring.find(digestApiKey(key))?.id)
beforeEach(async () => {
  lines = []
  dir = await mkdtemp(join(tmpdir(), 'gateway-ring-'))
  path = join(dir, 'keys.json')
  await write([{ id: 'first', hash: hashApiKey(first) }])
  ring = openKeyRing({ GATEWAY_KEYS_FILE: path }, log)
})
afterEach(async () => {
  ring.close()
  await rm(dir, { recursive: true, force: true })
})

it('finds keys by their digest and by their id', () => {
  expect(ids()).toEqual(['first', undefined])
  expect(ring.byId('first')).toMatchObject({ id: 'first' })
  expect(ring.byId('second')).toBeUndefined()
  expect(ring.required).toBe(true)
})

it('reads the file again on SIGHUP, and says which keys there are', async () => {
  await write([{ id: 'second', hash: hashApiKey(second) }])
  process.emit('SIGHUP', 'SIGHUP')
  expect(ids()).toEqual([undefined, 'second'])
  expect(ring.byId('first')).toBeUndefined()
  expect(lines.join('')).toContain('"event":"keys.loaded","ids":["second"]')
})

it('reads the file again when another has taken its place', async () => {
  const next = join(dir, 'next.json')
  await writeFile(next, JSON.stringify([{ id: 'second', hash: hashApiKey(second) }]))
  await rename(next, path)
  await vi.waitFor(() => expect(ids()).toEqual([undefined, 'second']), { timeout: 10_000 })
})

it('keeps the keys of before when the file is not good, and names every problem', async () => {
  for (const bad of [
    '[',
    [],
    [
      { id: 'second', hash: second },
      { id: 'a b', hash: hashApiKey(second) },
    ],
  ]) {
    lines = []
    await write(bad)
    process.emit('SIGHUP', 'SIGHUP')
    expect(ids()).toEqual(['first', undefined])
    expect(lines.join('')).toContain('"event":"keys.refused"')
  }
  expect(lines.join('')).toMatch(/0\.hash .*1\.id /)
  await rm(path)
  process.emit('SIGHUP', 'SIGHUP')
  expect(ids()).toEqual(['first', undefined])
  for (const key of [first, second]) expect(lines.join('')).not.toContain(key)
})

it('listens no more once it is closed', () => {
  const before = process.listenerCount('SIGHUP')
  ring.close()
  expect(process.listenerCount('SIGHUP')).toBe(before - 1)
})

it('asks for no keys where none are configured, and leaves SIGHUP alone', () => {
  const before = process.listenerCount('SIGHUP')
  const open = openKeyRing({}, log)
  expect(open.required).toBe(false)
  expect(process.listenerCount('SIGHUP')).toBe(before)
  open.close()
})
