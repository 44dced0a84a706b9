// What the README and the page for operators show is run as it stands there: every command, the call over HTTP and the program in
// TypeScript. A command that is added to one of them and to no list here fails.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { type LocalRedis, type StartedProcess, startLocalRedis, startProcess } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ROOT, run } from '../scripts/run.ts'
import { READERS_PATH, readShownPage } from './support/shown-commands.ts'

const ANNA = 'oAnna0000000000000000000001'
const BEN = 'oBen00000000000000000000002'
const WAIT = { timeout: 20_000, interval: 100 }

const readme = await readShownPage('README.md')
const operating = await readShownPage('docs/operating.md')

/** Where a reader puts what is theirs. */
const FILLED: readonly (readonly [RegExp, () => string])[] = [
  [/redis:\/\/…/g, () => redis.url],
  [/WECHAT_APP_SECRET=…/g, () => `WECHAT_APP_SECRET=${SANDBOX_APP_SECRET}`],
  [/wx…|wx1234567890abcdef/g, () => SANDBOX_APP_ID],
  [/--not-to o…/g, () => `--not-to ${BEN}`],
  [/ o…/g, () => ` ${ANNA}`],
  [/r-…/g, () => taskId],
  [/m-…/g, () => messageId],
  [/http:\/\/127\.0\.0\.1:3000/g, () => gateway],
  [/redis:\/\/127\.0\.0\.1:6379/g, () => redis.url],
]
const filled = (text: string): string =>
  FILLED.reduce((done, [pattern, value]) => done.replaceAll(pattern, value()), text)

let dir: string
let redis: LocalRedis
let fake: FakeWechat
let outbox: Outbox
let program: StartedProcess
let gateway: string
let taskId = 'r-none'
let messageId = 'm-none'
let batches = 0

const env = (): Record<string, string> => ({
  PATH: READERS_PATH,
  WECHAT_API_BASE_URL: fake.url,
  GATEWAY_PORT: '0',
  WORKER_PORT: '0',
})
const shell = (command: string, more: Record<string, string> = {}) =>
  run(['/bin/sh', '-c', filled(command)], { env: { ...env(), ...more } })

/** Messages that die, of a closed window by default. */
async function letDie(count: number, errcode = 45015): Promise<void> {
  // Told apart from messages of before, whose replays may be on their way.
  const batch = `batch ${(batches += 1)},`
  fake.control.addFault({ times: count, match: { contentIncludes: batch }, fault: { name: 'errcode', errcode } })
  const ids: string[] = []
  for (let n = 0; n < count; n += 1)
    ids.push((await outbox.send({ touser: ANNA, msgtype: 'text', text: { content: `${batch} ${n}` } })).id)
  messageId = ids.at(-1) ?? ''
  await vi.waitFor(async () => expect(await outbox.status(messageId)).toMatchObject({ status: 'dead' }), WAIT)
}

/** A task that takes the better part of a minute, so that it can be cancelled however long a command takes to start. */
async function startTask(): Promise<void> {
  await letDie(40)
  const answer = await fetch(`${gateway}/v1/apps/${SANDBOX_APP_ID}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'replay', filter: { errcode: 45015 }, perSecond: 1 }),
  })
  taskId = ((await answer.json()) as { id: string }).id
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-readme-'))
  redis = await startLocalRedis({ dir: join(dir, 'redis') })
  fake = await startFakeWechat({})
  outbox = new Outbox({ redis: redis.url, appid: SANDBOX_APP_ID })
  const command = readme.commands.find((line) => line.startsWith('REDIS_URL='))
  program = startProcess({ command: '/bin/sh', args: ['-c', filled(command ?? '')], cwd: ROOT, env: env() })
  const [, dashboard = ''] = await program.waitForLine(/^ +dashboard +(\S+)/, 60_000)
  gateway = new URL(dashboard).origin
}, 120_000)
afterAll(async () => {
  await outbox?.close()
  await program?.stop()
  await fake?.close()
  await redis?.stop()
  await rm(dir, { recursive: true, force: true })
}, 60_000)

interface Shown {
  readonly command: string
  readonly says: RegExp
  /** Behind the command, because nobody sits at a terminal. */
  readonly more?: string
  /** What has to be there before. */
  readonly before?: () => Promise<unknown>
}

const WXO: readonly Shown[] = [
  { command: 'wxo key new', says: /WXO|key/i },
  { command: 'wxo key new --id shop --app wx… --right send', says: /"id": ?"shop"/ },
  { command: 'wxo status', says: /45015/ },
  { command: 'wxo dead count --app wx…', says: /45015/ },
  { command: 'wxo dead ls --app wx… --errcode 45015', says: /d-/ },
  {
    command: 'wxo dead replay --app wx… --errcode 45015 --since 2h --not-to o… --dry-run',
    says: /Would replay 5 dead letters/,
  },
  {
    command: 'wxo dead replay --app wx… --errcode 45015 --window open',
    says: /replayed/,
    more: ' --yes',
    before: () => outbox.userActed({ touser: ANNA, action: 'message' }),
  },
  { command: 'wxo window --app wx… o…', says: /remaining +\d/ },
  { command: 'wxo forget --app wx… o…', says: /was erased/, more: ' --yes' },
  {
    command: 'wxo task cancel --app wx… r-… --take-back',
    says: /cancelled/,
    before: startTask,
  },
  { command: 'wxo dead ls --app wx… --lang zh', says: /回复时间/, before: () => letDie(1) },
  { command: 'wxo app resume wx…', says: /was not held/ },
  { command: 'wxo doctor', says: /appendonly|append-only/ },
]

const OPERATING: readonly Shown[] = [
  { command: 'wxo doctor', says: /Nothing is wrong/ },
  { command: 'wxo status', says: /serves it/ },
  { command: 'wxo status --json', says: /"deadLetterCodes"/ },
  { command: 'wxo show m-… --app wx…', says: /dead/, before: () => letDie(1) },
  { command: 'wxo app ls', says: /open/ },
  { command: 'wxo app resume wx…', says: /was not held/ },
  { command: 'wxo dead count --app wx…', says: /45015/ },
  { command: 'wxo dead replay --app wx… --errcode 45015 --window open --dry-run', says: /Would replay/ },
  {
    command: 'wxo dead replay --app wx… --errcode 45015 --window open',
    says: /replayed/,
    more: ' --yes',
    before: () => outbox.userActed({ touser: ANNA, action: 'message' }),
  },
  {
    command: 'wxo dead discard --app wx… --errcode 40003',
    says: /1 of 1 dead letter discarded/,
    more: ' --yes',
    before: () => letDie(1, 40003),
  },
  { command: 'wxo task ls --app wx…', says: /discard/ },
  { command: 'wxo task cancel --app wx… r-…', says: /cancelled/, before: startTask },
  { command: 'wxo task cancel --app wx… r-… --take-back', says: /cancelled/, before: startTask },
  { command: 'wxo app pause wx… --why "wrong texts in the campaign"', says: /paused/ },
  { command: 'wxo app resume wx…', says: /resumed/ },
  { command: 'wxo key new --id shop --app wx… --right send', says: /"id": ?"shop"/ },
]

/** They run until they are told to end, each from the command that shows it. */
const PROCESSES = [
  ['node_modules/.bin/node apps/worker/src/main.ts', /worker\.started/],
  ['node_modules/.bin/node apps/gateway/src/main.ts', /gateway\.listening/],
] as const
const INSTALL = 'npx -y pnpm@12 install --frozen-lockfile'

const isShown = (commands: readonly string[], shown: readonly Shown[], others: readonly string[]): void =>
  expect(commands.toSorted()).toEqual(
    [...others, ...shown.map(({ command }) => `npx -y pnpm@12 ${command}`)].toSorted(),
  )

async function runShown({ command, says, more = '', before }: Shown): Promise<void> {
  await before?.()
  const { ok, output } = await shell(`npx -y pnpm@12 ${command}${more}`, { REDIS_URL: redis.url })
  expect(ok, output).toBe(true)
  expect(output).toMatch(says)
}

describe('the README', () => {
  it('shows no command that is not run here', () => {
    const others = [
      'npx -y pnpm@12 start',
      'REDIS_URL=redis://… WECHAT_APP_ID=wx… WECHAT_APP_SECRET=… npx -y pnpm@12 start',
      // This suite itself.
      'npx -y pnpm@12 test',
      // Needs a Docker engine.
      'docker compose exec worker node apps/cli/src/main.ts status',
    ]
    isShown(readme.commands, WXO, others)
  })

  it('starts the sandbox with one command', async () => {
    const { ok, output } = await shell(`npx -y pnpm@12 start --once --data-dir ${join(dir, 'sandbox')}`)
    expect(ok, output).toBe(true)
  })

  it('sends over HTTP, and the same call again is the same message', async () => {
    const [call = ''] = readme.fenced('sh')
    const first = await shell(`${call.trim()} -s`)
    const again = await shell(`${call.trim()} -s`)
    expect(first.output).toMatch(/"id":"m-/)
    expect(JSON.parse(again.output)).toMatchObject({ id: (JSON.parse(first.output) as { id: string }).id })
  })

  it('sends from Node', async () => {
    // In the workspace, where the package is found, and outside of node_modules, where Node would not strip types.
    const folder = join(ROOT, '.data')
    await mkdir(folder, { recursive: true })
    const own = await mkdtemp(join(folder, 'readme-'))
    const wait = `
for (const until = Date.now() + 20_000; (await outbox.status(id))?.status !== 'delivered' && Date.now() < until; )
  await new Promise((resolve) => setTimeout(resolve, 50))
console.log((await outbox.status(id))?.status)
`
    const [program = ''] = readme.fenced('ts')
    expect(program).toMatch(/\nawait outbox.close\(\)\n$/)
    await writeFile(join(own, 'send.ts'), filled(program).replace(/(?=await outbox.close)/, wait))
    const { output } = await run([process.execPath, join(own, 'send.ts')])
    await rm(own, { recursive: true })
    expect(output).toBe('delivered\n')
  })
})

describe('wxo in the README', () => {
  beforeAll(() => letDie(5), 60_000)

  it.each(WXO)('$command', runShown)
})

describe('the page for operators', () => {
  it('shows no command that is not run here', () => {
    const docker = operating.commands.filter((command) => command.startsWith('docker compose '))
    isShown(operating.commands, OPERATING, [...docker, INSTALL, ...PROCESSES.map(([command]) => command)])
  })

  it(INSTALL, async () => {
    const { ok, output } = await shell(INSTALL)
    expect(ok, output).toBe(true)
  })

  it.each(PROCESSES)('%s', async (command, says) => {
    const settings = { WECHAT_APP_ID: SANDBOX_APP_ID, WECHAT_APP_SECRET: SANDBOX_APP_SECRET, REDIS_URL: redis.url }
    const [file = '', ...args] = command.split(' ')
    const started = startProcess({ command: join(ROOT, file), args, cwd: ROOT, env: { ...env(), ...settings } })
    await started.waitForLine(says, 30_000)
    expect(await started.stop('SIGTERM')).toEqual({ code: 0, signal: null })
  })

  it.each(OPERATING)('$command', runShown)
})
