import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { classifyAncestor } from '../src/end-with-parent.ts'
import { type StartedProcess, startProcess } from '../src/index.ts'
import { isAlive, untilGone } from './alive.ts'

const fixture = (name: string): string => `${import.meta.dirname}/fixtures/${name}`
let dir: string
let top: StartedProcess | undefined
let watcherPid = 0
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'end-with-parent-'))
})
afterEach(async () => {
  await top?.kill9()
  if (watcherPid > 0 && isAlive(watcherPid)) process.kill(watcherPid, 'SIGKILL')
  watcherPid = 0
  await rm(dir, { recursive: true, force: true })
})

const watching = (...args: string[]): string[] => [fixture('watch-launchers.ts'), join(dir, 'ended'), ...args]

/** How many links the watching fixture at the lower end of the chain looks at. */
const watchedBelow = async (upperEnd: StartedProcess): Promise<number> => {
  top = upperEnd
  const [, watched, pid] = await top.waitForLine(/^watching (\d+) from (\d+)/)
  watcherPid = Number(pid)
  return Number(watched)
}

/** A node process named npx-cli, a shell, the fixture. */
const belowNpx = (): Promise<number> =>
  watchedBelow(startProcess({ args: [fixture('npx-cli.js'), process.execPath, ...watching()] }))

/** A shell under a name that is no shell's and no launcher's, then the fixture. */
const belowManager = async (...args: string[]): Promise<number> => {
  const manager = join(dir, 'manager')
  await symlink('/bin/sh', manager)
  const command = ['-c', '"$@"; :', 'sh', process.execPath, ...watching(...args)]
  return watchedBelow(startProcess({ command: manager, args: command }))
}

const untilEnded = () =>
  vi.waitFor(async () => expect(await readFile(join(dir, 'ended'), 'utf8')).toBe('ended'), { timeout: 10_000 })

describe('a program below npx', () => {
  it('ends when npx is killed with -9, though the shell between lives on', async () => {
    expect(await belowNpx()).toBeGreaterThanOrEqual(2)
    await top?.kill9()
    await untilEnded()
    await untilGone(watcherPid)
  })

  it('ends at once when npx was gone before it could look', async () => {
    // An orphan, whose environment says that npx started it: all that is left of a killed npx.
    const env = { npm_execpath: '/root/.npm/_npx/0123/node_modules/pnpm/bin/pnpm.cjs' }
    const command = ['-c', '"$@" & :', 'sh', process.execPath, ...watching()]
    await startProcess({ command: '/bin/sh', args: command, env }).exited
    await untilEnded()
  })

  it('does not end as long as npx is there', async () => {
    await belowNpx()
    // Many looks later: the fixture looks every 20 ms, each start of a process takes longer than that.
    for (let i = 0; i < 3; i += 1) await startProcess({ args: ['-e', '0'] }).exited
    expect(isAlive(watcherPid)).toBe(true)
    await expect(readFile(join(dir, 'ended'))).rejects.toThrow()
  })
})

describe('a program below something else', () => {
  it('watches nothing', async () => {
    expect(await belowManager()).toBe(0)
  })

  it('watches its direct parent when it is asked to', async () => {
    expect(await belowManager('watch-parent')).toBe(1)
    await top?.kill9()
    await untilEnded()
    await untilGone(watcherPid)
  })
})

describe('an ancestor', () => {
  it.each<[string[], string]>([
    [['npx'], 'launcher'],
    [['/usr/bin/node', '/usr/lib/node_modules/npm/bin/npx-cli.js', 'pnpm@12'], 'launcher'],
    [['npm', 'exec', 'pnpm@12', 'start'], 'launcher'],
    [['node', '--no-warnings', '/x/pnpm.cjs', 'start'], 'launcher'],
    [['/x/bin/pnpm', 'start'], 'launcher'],
    [['node', '--import', 'file:///x/hook.ts', '/x/npx-cli.js'], 'launcher'],
    [['node', '--import', 'file:///x/npx.js', 'main.ts'], 'between'],
    [['node', '/x/yarn-4.5.0.cjs', 'start'], 'launcher'],
    [['sh', '-c', 'node main.ts'], 'between'],
    [['-bash'], 'between'],
    [['/usr/bin/node', 'main.ts'], 'between'],
    [['/usr/sbin/sshd'], 'other'],
    [['python3', 'npx.js'], 'other'],
    [[], 'other'],
  ])('%j is taken for a %s', (args, kind) => expect(classifyAncestor(args)).toBe(kind))
})
