// That the peer is measured where there is a PostgreSQL, and left out, with a reason, where there is none.
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findPostgres } from '../src/postgres.ts'
import type { Results } from '../src/results.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-bench-peer-'))
  // For root PostgreSQL runs as nobody, who must get as far as its folder.
  await chmod(dir, 0o755)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function benchPeer(env: Record<string, string | undefined>): Promise<{ results: Results; stderr: string }> {
  const jsonFile = join(dir, 'figures.json')
  const args = [join(import.meta.dirname, '../src/main.ts'), '--quick', '--only', 'peer', '--json', jsonFile]
  const bench = startProcess({ args, env: { TMPDIR: dir, ...env } })
  const end = await bench.exited
  expect(end, bench.stderr()).toEqual({ code: 0, signal: null })
  return { results: JSON.parse(await readFile(jsonFile, 'utf8')) as Results, stderr: bench.stderr() }
}

it('leaves the peer out and says why where there is no PostgreSQL', { timeout: 120_000 }, async () => {
  expect(await findPostgres({ BENCH_POSTGRES_BIN: dir, PATH: process.env['PATH'] })).toBeUndefined()
  const { results, stderr } = await benchPeer({ BENCH_POSTGRES_BIN: dir })
  expect(results.rows).toEqual([])
  expect(stderr).toContain('peer left out: there is no PostgreSQL on this machine')
})

it('measures a peer that keeps order, and leaves nothing behind', { timeout: 300_000 }, async () => {
  const isThere = (await findPostgres()) !== undefined
  const { results } = await benchPeer({})
  // On a machine without a PostgreSQL this is the same as above.
  expect(results.rows.map(({ name }) => name)).toEqual(isThere ? ['peer', 'peer/single', 'peer/order'] : [])
  const order = results.rows.find(({ name }) => name === 'peer/order')
  if (isThere) expect([order?.ours.max, order?.theirs?.max]).toEqual([0, 0])
  expect((await readdir(dir)).filter((name) => name.startsWith('wxo-bench-'))).toEqual([])
})
