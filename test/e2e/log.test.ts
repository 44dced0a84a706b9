// Whoever reads the log of a worker may stand still or go, and the disk may be full: that costs lines, and no message.
import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { freeLoopbackPort, type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { ROOT } from '../../scripts/run.ts'
import { type System, startSystem, text } from './support/system.ts'

const PEOPLE = 30
const EACH = 30

let system: System
beforeEach(async () => {
  system = await startSystem({ workers: 0 })
})
afterEach(() => system.close())

/** A pipe that a test may read or leave, and that others may open by its path. */
function makePipe(): { path: string; readEnd: number; writeEnd: number } {
  const path = join(system.redis.dir, `pipe-${process.pid}`)
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { path, readEnd, writeEnd: openSync(path, constants.O_WRONLY) }
}

/** Reads what comes from now on. */
function readLog(readEnd: number): () => string {
  let log = ''
  const pipe = new Socket({ fd: readEnd, readable: true, writable: false })
  pipe.on('data', (chunk) => (log += String(chunk)))
  onTestFinished(() => void pipe.destroy())
  return () => log
}

async function startWorker(stdout: number): Promise<{ worker: StartedProcess; url: string }> {
  const port = await freeLoopbackPort()
  const env = { ...system.env, WORKER_PORT: String(port), LOG_LEVEL: 'info' }
  const worker = startProcess({ args: ['apps/worker/src/main.ts'], cwd: ROOT, env, stdout })
  onTestFinished(async () => void (await worker.kill9()))
  const url = `http://127.0.0.1:${port}`
  await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), {
    timeout: 20_000,
    interval: 50,
  })
  return { worker, url }
}

/** Long lines, because a pipe and the buffer before it hold much. */
const requests = () =>
  Array.from({ length: PEOPLE * EACH }, (_, n) => ({
    ...text(`o-log-${n % PEOPLE}`, `log<${n}>`),
    metadata: { note: 'x'.repeat(3500) },
  }))

async function allArriveOnce(): Promise<void> {
  await system.outbox.sendMany(requests())
  await vi.waitFor(async () => expect(await system.fake.accepted('log<')).toHaveLength(PEOPLE * EACH), {
    timeout: 30_000,
    interval: 100,
  })
}

async function endsWell(worker: StartedProcess): Promise<void> {
  expect(await worker.stop('SIGTERM', 20_000)).toEqual({ code: 0, signal: null })
  const sends = await system.fake.sends()
  expect(sends).toHaveLength(PEOPLE * EACH)
  expect(new Set(sends.map(({ rawBody }) => rawBody)).size).toBe(sends.length)
}

const droppedBy = async (url: string): Promise<number> =>
  Number(/^wxo_log_lines_dropped_total (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1])

describe('every message arrives once, and the worker ends with 0,', () => {
  it('while nobody reads its log; what is missing is counted, and told to who reads later', async () => {
    const { readEnd, writeEnd } = makePipe()
    const { worker, url } = await startWorker(writeEnd)
    closeSync(writeEnd)
    await allArriveOnce()
    await vi.waitFor(async () => expect(await droppedBy(url)).toBeGreaterThan(10), 20_000)
    const log = readLog(readEnd)
    await vi.waitFor(() => expect(log()).toMatch(/"event":"log.dropped","lines":\d+/), 10_000)
    await endsWell(worker)
    await vi.waitFor(() => expect(log()).toContain('"process.stopped"'), 5000)
  }, 90_000)

  it('and while nobody ever does', async () => {
    const { readEnd, writeEnd } = makePipe()
    onTestFinished(() => closeSync(readEnd))
    const { worker } = await startWorker(writeEnd)
    closeSync(writeEnd)
    await allArriveOnce()
    await endsWell(worker)
  }, 90_000)

  it('when its reader leaves, and another one may come', async () => {
    const { path, readEnd, writeEnd } = makePipe()
    const { worker, url } = await startWorker(writeEnd)
    closeSync(writeEnd)
    closeSync(readEnd)
    await allArriveOnce()
    await vi.waitFor(async () => expect(await droppedBy(url)).toBeGreaterThan(10), 20_000)
    const log = readLog(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK))
    await vi.waitFor(() => expect(log()).toMatch(/"event":"log.dropped","lines":\d+/), 10_000)
    await endsWell(worker)
  }, 90_000)

  it.runIf(process.platform === 'linux')(
    'when its disk is full',
    async () => {
      const full = openSync('/dev/full', 'w')
      const { worker, url } = await startWorker(full)
      closeSync(full)
      await allArriveOnce()
      expect(await droppedBy(url)).toBeGreaterThan(10)
      await endsWell(worker)
    },
    90_000,
  )
})
