// What the README tells people to put under a supervisor, started as it stands there: the process that is told to end is the
// one that works, so nothing is left behind.
import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProcess } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { type System, startSystem } from './support/system.ts'

const ROOT = join(import.meta.dirname, '../..')
const README = await readFile(join(ROOT, 'README.md'), 'utf8')
const PROGRAM = /`(?:(node_modules\/\S+) )?(apps\/(?:worker|gateway)\/src\/main\.ts)`/g
const programs = [...README.matchAll(PROGRAM)].map(([, , program = '']) => program)
const [, node = ''] = PROGRAM.exec(README) ?? []

let system: System
beforeEach(async () => {
  system = await startSystem({ workers: 0 })
})
afterEach(() => system.close())

/** Processes, whoever started them, with this text in their environment. */
async function pidsWith(mark: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')))
  return pids.filter((_, n) => environments[n]?.includes(mark))
}

it.skipIf(process.platform !== 'linux')('nothing is left of a worker or gateway that was told to end', async () => {
  expect(programs).toEqual(['apps/worker/src/main.ts', 'apps/gateway/src/main.ts'])
  const mark = randomUUID()
  const env = { ...system.env, TEST_MARK: mark, GATEWAY_PORT: '0', WORKER_PORT: '0' }
  const started = programs.map((program) => startProcess({ command: node, args: [program], cwd: ROOT, env }))
  onTestFinished(async () => void (await Promise.all(started.map((one) => one.kill9()))))
  await Promise.all(started.map((one) => one.waitForLine(/"(worker.started|gateway.listening)"/)))
  expect(await pidsWith(mark)).toEqual(expect.arrayContaining(started.map(({ pid }) => String(pid))))
  expect(await Promise.all(started.map((one) => one.stop('SIGTERM')))).toEqual(
    programs.map(() => ({ code: 0, signal: null })),
  )
  expect(await pidsWith(mark)).toEqual([])
})
