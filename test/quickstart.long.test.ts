// The quickstart is followed as it stands there: its commands one after the other in one shell, beside the sandbox that its first command
// starts, with the ids that they print in the place of `m-…` and `d-…`.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ROOT } from '../scripts/run.ts'
import { openShell, READERS_PATH, readShownPage, type Shell } from './support/shown-commands.ts'

const WAIT = { timeout: 30_000, interval: 200 }
const page = await readShownPage('docs/quickstart.md')
const [START = '', ...OTHERS] = page.commands
const OWN_APP = OTHERS.pop() ?? ''

/** What each command shows, in the order of the page. */
const SHOWN: readonly (readonly [command: string, shows: RegExp])[] = [
  ['export REDIS_URL=', /^$/],
  ['wxo send --app wx5a4d0b0c0ffee000 --to oYou', /m-\S+ +queued/],
  ['wxo show m-…', /delivered/],
  ['release --dry-run', /packed .*wechat-outbox-outbox/],
  ['mkdir -p .data/shop', /package\.json/],
  ['npm install ../release', /added/],
  ['node send.mjs', /^m-\S+ is stored/],
  ['node send.mjs', /^m-\S+ was stored before/],
  ['npm install co-wechat-api', /added/],
  ['node sdk.mjs', /errcode: 0, errmsg: 'ok'/],
  ['cd ../..', /^$/],
  ['wxo send --app wx5a4d0b0c0ffee000 --to oChen', /m-\S+ +queued/],
  ['wxo dead ls', /REASON\nd-\S+ .*oChen +45015[^]*3 dead letters/],
  ['wxo dead show d-…', /45015 reply-window-closed[^]*您的退款已到账/],
  ['curl -X POST', /"ok":true/],
  ['wxo dead replay d-…', /d-\S+ → m-/],
  ['wxo show m-…', /delivered/],
  ['wxo send --app wx5a4d0b0c0ffee000 --to oWang', /m-\S+ +queued/],
  ['wxo show m-…', /waiting-for-user/],
  ['curl -X POST', /"ok":true/],
  ['wxo show m-…', /delivered/],
]

let dir: string
let sandbox: StartedProcess
let shell: Shell
let gateway: string
let fake: string
let messageId = ''
let deadLetterId = ''

const addressOf = async (program: StartedProcess, name: string): Promise<string> => {
  const [, url = ''] = await program.waitForLine(new RegExp(`^ +${name} +(http\\S+)`), 120_000)
  return new URL(url).origin
}
const filled = (text: string): string =>
  text
    .replaceAll('http://127.0.0.1:3000', gateway)
    .replaceAll('http://127.0.0.1:9465', fake)
    .replaceAll('../release/', `${ROOT}/.data/release/`)
    .replaceAll('.data/redis-sandbox', `${dir}/redis-sandbox`)
    .replaceAll('.data/shop', `${dir}/shop`)
    .replace(/^cd \.\.\/\.\.$/, `cd ${ROOT}`)
    .replaceAll('m-…', messageId)
    .replaceAll('d-…', deadLetterId)

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-quickstart-'))
  const env = { PATH: READERS_PATH, GATEWAY_PORT: '0', WORKER_PORT: '0' }
  sandbox = startProcess({ command: '/bin/sh', args: ['-c', `${START} --data-dir ${dir}`], cwd: ROOT, env })
  await sandbox.waitForLine(/Ctrl-C ends it/, 120_000)
  gateway = await addressOf(sandbox, 'dashboard')
  fake = await addressOf(sandbox, 'fake WeChat')
  shell = openShell({ LC_ALL: 'C.UTF-8' })
}, 150_000)
afterAll(async () => {
  shell?.close()
  await sandbox?.stop()
  await rm(dir, { recursive: true, force: true })
}, 60_000)

/** The programs that the page says to save, where it says. */
async function saveProgram(command: string): Promise<void> {
  const name = /^node (\S+)$/.exec(command)?.[1]
  const code = page.fenced('js').find((block) => block.startsWith(`// ${name}\n`))
  if (name !== undefined) await writeFile(join(dir, 'shop', name), filled(code ?? `throw new Error('not shown')`))
}

describe('the quickstart', () => {
  it('shows no command that is not run here', () => {
    expect(OTHERS.length).toBe(SHOWN.length)
    for (const [place, [command]] of SHOWN.entries()) expect(OTHERS[place]).toContain(command)
  })

  it.each(SHOWN.map(([, shows], place) => [OTHERS[place] ?? '', shows] as const))(
    '%s',
    async (command, shows) => {
      await saveProgram(command)
      // A message is sent in a moment, and in another its end is there.
      await vi.waitFor(async () => {
        const { ok, output } = await shell.run(filled(command))
        expect(ok, output).toBe(true)
        expect(output.replaceAll(/^\$ .*\n/gm, '')).toMatch(shows)
        messageId = output.match(/m-[\w-]+/g)?.at(-1) ?? messageId
        deadLetterId = /^d-\w+/m.exec(output)?.[0] ?? deadLetterId
      }, WAIT)
    },
    120_000,
  )

  it('sends over HTTP', async () => {
    const [call = ''] = page.fenced('sh')
    const { output } = await shell.run(filled(call.trim()))
    expect(output).toMatch(/"id":"m-[^]*"status":"queued"/)
  })

  it('starts with credentials', async () => {
    const own = OWN_APP.replace('wx…', 'wx5a4d0b0c0ffee000').replace('SECRET=…', 'SECRET=any')
    const env = { PATH: READERS_PATH, GATEWAY_PORT: '0', WORKER_PORT: '0', WECHAT_API_BASE_URL: fake }
    const program = startProcess({ command: '/bin/sh', args: ['-c', `${own} --data-dir ${dir}`], cwd: ROOT, env })
    await program.waitForLine(/^ +commands +REDIS_URL=/, 60_000)
    await program.stop()
  }, 90_000)
})
