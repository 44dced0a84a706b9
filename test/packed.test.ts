// What another service gets: the two published packages, packed, installed from their tarballs into an empty folder and
// used by the machine's own Node, which may be as old as 20.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type LocalRedis, startLocalRedis } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PUBLISHED, pack } from '../scripts/pack.ts'
import { run } from '../scripts/run.ts'

const USE = `
import { Outbox, OutboxError } from '@wechat-outbox/outbox'

const outbox = new Outbox({ redis: process.argv[2], appid: 'wx1234567890abcdef' })
const request = { touser: 'oAnna', msgtype: 'text', text: { content: 'hello' }, idempotencyKey: 'order-7' }
const result = await outbox.send(request).catch((error) => ({ isOutboxError: error instanceof OutboxError, code: error.code }))
await outbox.close()
console.log(JSON.stringify({ node: Number(process.versions.node.split('.')[0]), result }))
`
const NOWHERE = 'redis://127.0.0.1:1'

let folder: string
let redis: LocalRedis

/** The environment of somebody who has not got our `node_modules/.bin` on the path. */
const machinePath = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.endsWith('node_modules/.bin'))
const env = { PATH: machinePath.join(delimiter) }

async function use(url: string): Promise<{ node: number; result: unknown }> {
  const { ok, output } = await run(['node', 'use.mjs', url], { cwd: folder, env, timeoutMs: 20_000 })
  expect(ok, output).toBe(true)
  return JSON.parse(output) as { node: number; result: unknown }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wechat-outbox-packed-'))
  redis = await startLocalRedis({ dir: join(folder, 'redis') })
  const tarballs: string[] = []
  for (const name of PUBLISHED) tarballs.push(await pack(name, join(folder, 'packs')))
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  await writeFile(join(folder, 'use.mjs'), USE)
  const installed = await run(['npm', 'install', '--no-audit', '--no-fund', ...tarballs], { cwd: folder, env })
  expect(installed.ok, installed.output).toBe(true)
}, 180_000)

afterAll(async () => {
  await redis?.stop()
  await rm(folder, { recursive: true, force: true })
})

it('can be imported by Node 20, and says that Redis is away', async () => {
  const { node, result } = await use(NOWHERE)
  expect(node).toBeGreaterThanOrEqual(20)
  expect(result).toEqual({ isOutboxError: true, code: 'WXO_UNAVAILABLE' })
})

it('stores a message, with the Lua scripts that came in the package', async () => {
  const first = await use(redis.url)
  expect(first.result).toEqual({ id: expect.stringMatching(/^m-/), status: 'queued', duplicate: false })
  expect((await use(redis.url)).result).toEqual({ ...(first.result as object), duplicate: true })
})
