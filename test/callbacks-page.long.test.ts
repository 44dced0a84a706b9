// "Try it" of the page of callbacks is followed as it stands there: the receiver is made, and the sandbox tells it of its samples.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess } from '@wechat-outbox/sandbox'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../scripts/run.ts'
import { openShell, READERS_PATH, readShownPage } from './support/shown-commands.ts'

/** The page's own port may be taken. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

it('the receiver that the page of callbacks shows is told of the samples', async () => {
  const page = await readShownPage('docs/callbacks.md')
  const [folder = '', secret = '', install = '', receive = '', start = '', ...others] = page.commands
  expect(others).toEqual([])
  const dir = await mkdtemp(join(tmpdir(), 'wxo-receiver-'))
  const port = String(await freePort())
  const filled = (text: string): string => text.replaceAll('.data/receiver', `${dir}/receiver`).replaceAll('4700', port)
  const shell = openShell({})
  onTestFinished(async () => {
    shell.close()
    await rm(dir, { recursive: true, force: true })
  }, 60_000)
  for (const command of [folder, secret, install]) {
    const { ok, output } = await shell.run(filled(command))
    expect(ok, output).toBe(true)
  }
  const program = page.fenced('js').find((code) => code.startsWith('// receiver.mjs\n'))
  await writeFile(join(dir, 'receiver/receiver.mjs'), filled(program ?? ''))
  const env = { PATH: READERS_PATH, GATEWAY_PORT: '0', WORKER_PORT: '0' }
  // `exec env`: a signal has to reach the program, not its shell.
  const receiver = startProcess({
    command: '/bin/sh',
    args: ['-c', `exec env ${receive}`],
    cwd: join(dir, 'receiver'),
    env,
  })
  onTestFinished(async () => void (await receiver.stop()))
  await receiver.waitForLine(/^waiting for callbacks$/, 30_000)
  const sandbox = startProcess({
    command: '/bin/sh',
    args: ['-c', `${filled(start)} --data-dir ${dir}`],
    cwd: ROOT,
    env,
  })
  onTestFinished(async () => void (await sandbox.stop()), 60_000)
  await receiver.waitForLine(/^message\.delivered \{/, 120_000)
  await receiver.waitForLine(/^message\.dead \{/, 60_000)
  expect(receiver.stderr()).toBe('')
}, 180_000)
