// What another service gets: the published packages, installed from their tarballs and used by fresh projects of every kind, on every Node
// from the oldest that `engines` names. Each of them stores a message in a real Redis.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type LocalRedis, startLocalRedis } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packAll } from '../scripts/pack.ts'
import { run } from '../scripts/run.ts'
import { PROJECTS, type Project, SAID } from './support/packed-projects.ts'

const NODES = ['20.0.0', '20.20', '22', '24', '26']
const TOOLS = ['typescript@5.6.3', '@types/node@20', 'esbuild@0.28.2', 'jest@30']
const MINUTE_MS = 60_000
/** As npm calls the packages that hold a Node for this machine. */
const nodePackage = [process.platform === 'darwin' ? 'node-bin' : 'node', process.platform, process.arch].join('-')

let folder: string
let redis: LocalRedis

/** The environment of somebody who has not got our `node_modules/.bin` on the path. */
const machinePath = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.endsWith('node_modules/.bin'))
const folderOf = ({ name }: Project): string => join(folder, name.replaceAll(/\W+/g, '-'))
const nodeOf = (version: string): string => join(folder, `nodes/node_modules/node-${version}/bin/node`)

async function execute(command: readonly string[], cwd: string): Promise<string> {
  const PATH = [join(folder, 'node_modules/.bin'), ...machinePath].join(delimiter)
  const { ok, output } = await run(command, { cwd, env: { PATH, REDIS_URL: redis.url, NODE_OPTIONS: '' } })
  expect(ok, `${command.join(' ')}\n${output}`).toBe(true)
  return output
}

async function install(cwd: string, packages: readonly string[]): Promise<void> {
  await mkdir(cwd, { recursive: true })
  await writeFile(join(cwd, 'package.json'), '{ "private": true }')
  await execute(['npm', 'install', '--no-audit', '--no-fund', ...packages], cwd)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wechat-outbox-packed-'))
  redis = await startLocalRedis({ dir: join(folder, 'redis') })
  const packed = await packAll(join(folder, 'packs'))
  await install(folder, [...packed.map(({ tarball }) => tarball), ...TOOLS])
  await install(
    join(folder, 'nodes'),
    NODES.map((version) => `node-${version}@npm:${nodePackage}@${version}`),
  )
  for (const project of PROJECTS) {
    await mkdir(folderOf(project))
    for (const [file, text] of Object.entries(project.files)) await writeFile(join(folderOf(project), file), text)
  }
}, 10 * MINUTE_MS)

afterAll(async () => {
  await redis?.stop()
  await rm(folder, { recursive: true, force: true })
})

describe.each(PROJECTS)('$name', (project) => {
  it.runIf(project.build)('is built without a word', async () => {
    expect(await execute(project.build ?? [], folderOf(project))).toBe('')
  })

  it.each(NODES)('stores a message with Node %s', async (version) => {
    const output = await execute([nodeOf(version), ...project.start], folderOf(project))
    if (project.name === 'Jest') expect(output).toMatch(/1 passed/)
    else expect(output.trim().split('\n').at(-1)).toBe(SAID)
  })
})

it('has the program fake-wechat', async () => {
  const { ok, output } = await run([join(folder, 'node_modules/.bin/fake-wechat'), '--port', 'seven'])
  expect([ok, output]).toEqual([false, expect.stringMatching(/--port must be 0 to 65535\nusage: fake-wechat/)])
})

it('runs the versions of Node that it says', async () => {
  for (const version of NODES) expect(await execute([nodeOf(version), '--version'], folder)).toContain(`v${version}`)
})
