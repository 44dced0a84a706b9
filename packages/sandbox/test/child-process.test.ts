import { afterEach, describe, expect, it } from 'vitest'
import { type StartedProcess, type StartProcessOptions, startProcess } from '../src/index.ts'
import { isAlive, untilGone } from './alive.ts'

const fixture = (name: string): string => `${import.meta.dirname}/fixtures/${name}`
let started: StartedProcess[] = []
const start = (options: StartProcessOptions): StartedProcess => {
  const child = startProcess(options)
  started.push(child)
  return child
}
afterEach(async () => {
  await Promise.all(started.map((child) => child.kill9()))
  started = []
})

it('collects what a process writes and finds its lines, earlier ones too', async () => {
  const child = start({ args: [fixture('echo-signals.ts')], env: { FIXTURE_WORD: 'word' } })
  const [, pid, word] = await child.waitForLine(/^up (\d+) (\w+)$/)
  expect([Number(pid), word]).toEqual([child.pid, 'word'])
  await child.waitForLine(/^tick$/)
  await child.waitForLine(/^up/)
  await child.waitForLine(/^a word on stderr$/)
  expect(child.stdout()).toMatch(/^up .*\ntick\n/)
  expect(child.stderr()).toContain('a word on stderr\n')
})

it('ends a process in order and tells how it ended, with its last words', async () => {
  const child = start({ args: [fixture('echo-signals.ts')] })
  await child.waitForLine(/^up/)
  expect(await child.stop()).toEqual({ code: 7, signal: null })
  expect(child.stdout()).toMatch(/asked to end\n$/)
})

it('kills a process that does not listen', async () => {
  const deaf = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")'
  const child = start({ args: ['-e', deaf] })
  await child.waitForLine(/up/)
  expect(await child.stop('SIGTERM', 50)).toEqual({ code: null, signal: 'SIGKILL' })
})

it('rejects a wait when the process ends, and when time is up', async () => {
  const child = start({ args: ['-e', 'console.error("so long"); process.exit(3)'], name: 'the child' })
  await expect(child.waitForLine(/never/)).rejects.toThrow(/the child ended \(exit code 3\)[\s\S]*so long/)
  const endless = start({ args: [fixture('echo-signals.ts')] })
  await expect(endless.waitForLine(/never/, 10)).rejects.toThrow(/echo-signals\.ts ran for 10 ms/)
})

it('lets a process that has nothing to do end by itself', async () => {
  expect(await start({ args: ['-e', 'console.log("done")'] }).exited).toEqual({ code: 0, signal: null })
})

it('throws when the program is not there', () => {
  expect(() => startProcess({ command: '/nowhere/program', args: [] })).toThrow(/could not be started/)
})

it('stops a process where it stands and lets it go on', async () => {
  const child = start({ args: [fixture('echo-signals.ts')] })
  await child.waitForLine(/^tick/)
  child.stopSignal()
  child.cont()
  const before = child.stdout().length
  await child.waitForLine(/^tick/)
  expect(child.stdout().length).toBeGreaterThanOrEqual(before)
  expect(await child.stop()).toEqual({ code: 7, signal: null })
})

describe('when the parent is killed with -9', () => {
  it.each(['running', 'stopped'])('a %s child goes too', async (state) => {
    const parent = start({ args: [fixture('start-child.ts'), state] })
    const pid = Number((await parent.waitForLine(/^child (\d+)/))[1])
    expect(isAlive(pid)).toBe(true)
    await parent.kill9()
    await untilGone(pid)
  })
})
