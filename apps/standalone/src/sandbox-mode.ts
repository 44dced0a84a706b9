/**
 * The sandbox: no WeChat, no credentials, nothing to set up, and still the real worker, gateway and Redis. The terminal belongs
 * to the person who tries it, and the samples provoke warnings on purpose: so the log goes to a file, new at every start, unless
 * LOG_LEVEL was given; then somebody wants to see it, and it goes to stderr.
 */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { connectRedis, createTokenStore, openStore, type Store, whenReady } from '@wechat-outbox/outbox/engine'
import { createLogger, type Environment, type LogOptions } from '@wechat-outbox/runtime'
import { type LocalRedis } from '@wechat-outbox/sandbox'
import { checkConfig } from './env.ts'
import type { ModeContext } from './mode-context.ts'
import { shownPath } from './options.ts'
import { type Outgoing, outgoingOf, outgoingText } from './outgoing.ts'
import { onFreePort } from './ports.ts'
import { openLocalRedis, redisLine, redisVariable } from './redis.ts'
import { runSamples } from './run-samples.ts'
import { SAMPLES } from './samples.ts'
import { complain, say } from './say.ts'
import { type Services, startServices } from './services.ts'
import { missingOutcomes, summarize } from './summary.ts'
import { tableOf } from './table.ts'

/** Together with the closing, which has its own limits, a run with `--once` stays under 90 s. */
const SAMPLES_MS_MAX = 50_000
const ONCE_SHUTDOWN_MS = 5000
/** From the moment on at which Redis answers: what comes before it may be a download, and has limits of its own. */
const ONCE_MS_MAX = 65_000
const STORE_WAIT_MS = 5000

/** Somebody whom a person may write to by hand without being refused. */
const PLAYMATE = 'oYou'
/** Somebody who has not written yet: the command that lets them is printed. The quickstart names others. */
const STRANGER = 'oLi'
/** The fake's address is the same at every start, unless the port is taken: the quickstart names it. */
const FAKE_PORT = 9465

/** Both ends of the message push are in this process: so it need not last, and nobody has to know it. */
const PUSH_TOKEN = randomBytes(16).toString('hex')

export async function runSandbox(context: ModeContext): Promise<number> {
  const { options, stop, opened } = context
  say('SANDBOX: no WeChat credentials and no REDIS_URL, so WeChat is a built-in fake.')
  const { once } = options
  const env = sandboxEnv(context, { redisUrl: 'redis://127.0.0.1:6379', fakeUrl: 'http://127.0.0.1:1' })
  checkConfig(env)
  const outgoing = outgoingOf(env)
  say(outgoingText(outgoing))
  const folder = await openDataDir(context)
  const { dir } = folder
  const redis = await openLocalRedis({ mode: 'sandbox', dataDir: dir, say, opened, stop })
  if (once)
    setTimeout(() => stop.fail(new Error(`the run has not ended within ${ONCE_MS_MAX} ms`)), ONCE_MS_MAX).unref()
  const started = await onFreePort({ host: '127.0.0.1', port: once ? 0 : FAKE_PORT }, (port) =>
    startFakeWechat({ windows: 'strict', port }),
  )
  const fake = opened.add(started, ({ close }) => close())
  fake.control.user(PLAYMATE, 'open')
  const store = await openSandboxStore(redis.url, context)
  const outbox = opened.add(new Outbox({ redis: redis.url, appid: SANDBOX_APP_ID }), (open) => open.close())
  const log = await openLog(dir, context)
  const services = await startServices({
    env: sandboxEnv(context, { redisUrl: redis.url, fakeUrl: fake.url }),
    opened,
    log: (name) => createLogger({ ...log, name }),
    anyPort: true,
    stop,
  })
  fake.control.setPush({ url: `${services.gatewayUrl}/v1/apps/${SANDBOX_APP_ID}/push`, token: PUSH_TOKEN })
  if (!once) sayWhere(services, { redis, fake, outgoing, logPath: log.path })

  say(`\n${SAMPLES.length} sample messages are on their way ...\n`)
  const run = await runSamples({ fake, outbox, store, signal: stop.signal, limitMs: SAMPLES_MS_MAX })
  for (const line of tableOf(run.ends)) say(`  ${line}`)
  const summary = summarize(fake.ledger, run)
  const missing = missingOutcomes(summary)
  if (missing.length > 0) {
    folder.keep()
    complain(`\nMissing in the fake WeChat's ledger: ${missing.join('; ')}. Why may stand in ${shownPath(dir)}.`)
  }
  if (once) {
    say(`\nNext: the same with a dashboard, until Ctrl-C:  npx -y pnpm@12 start\n\n${JSON.stringify(summary)}`)
    return missing.length > 0 ? 1 : 0
  }
  sayNext(services, { redis, fake })
  return stop.wanted(0)
}

/** The environment that the worker and the gateway read: a person's own settings, and the sandbox in WeChat's place. */
function sandboxEnv(
  { env, options }: ModeContext,
  { redisUrl, fakeUrl }: { redisUrl: string; fakeUrl: string },
): Environment {
  return {
    ...env,
    // The fake is on this machine, and whatever proxy there is knows nothing of it.
    NO_PROXY: '*',
    no_proxy: '*',
    REDIS_URL: redisUrl,
    WECHAT_APP_ID: SANDBOX_APP_ID,
    WECHAT_APP_SECRET: SANDBOX_APP_SECRET,
    WECHAT_API_BASE_URL: fakeUrl,
    // What users of the fake do is pushed to the gateway, and to nobody's own service behind it.
    PUSH_TOKEN,
    PUSH_AES_KEY: undefined,
    PUSH_FORWARD_URL: undefined,
    ...(options.once ? { GATEWAY_PORT: '0', WORKER_PORT: '0', SHUTDOWN_TIMEOUT_MS: String(ONCE_SHUTDOWN_MS) } : {}),
  }
}

/** With `--once` a folder of its own, gone at a good end: nothing of before can help, and several may run at once. */
async function openDataDir({
  options: { once, dataDir },
  opened,
}: ModeContext): Promise<{ dir: string; keep(): void }> {
  await mkdir(dataDir, { recursive: true })
  let kept = !once
  const dir = once ? await mkdtemp(join(dataDir, 'once-')) : dataDir
  opened.add(dir, async () => {
    if (!kept) await rm(dir, { recursive: true, force: true })
  })
  return { dir, keep: () => void (kept = true) }
}

/**
 * For what the Outbox does not offer: looking into dead letters. The fake starts anew every time and knows no earlier token, so
 * one that Redis still holds is marked as refused.
 */
async function openSandboxStore(url: string, { opened }: ModeContext): Promise<Store> {
  const client = connectRedis(url, 'operate')
  client.on('error', () => undefined)
  opened.add(client, async (open) => open.disconnect())
  await whenReady(client, STORE_WAIT_MS)
  const store = await openStore(client)
  const tokens = createTokenStore(store, SANDBOX_APP_ID)
  const bad = (await tokens.read())?.value
  const claimed = await tokens.claim({ mode: 'need', bad, lockMs: STORE_WAIT_MS, aheadMs: 0 })
  if (claimed.kind === 'lock') await claimed.lock.release()
  return store
}

async function openLog(
  dir: string,
  { env, opened }: ModeContext,
): Promise<Omit<LogOptions, 'name'> & { path?: string }> {
  const level = env['LOG_LEVEL']
  if (level) return { level, destination: process.stderr }
  const path = join(dir, 'log', 'standalone.jsonl')
  await mkdir(join(dir, 'log'), { recursive: true })
  const file = createWriteStream(path)
  // A full disk costs the log and not the run.
  file.on('error', () => undefined)
  opened.add(file, () => new Promise((done) => file.close(() => done())))
  return { level: 'info', destination: file, path }
}

interface Where {
  readonly redis: LocalRedis
  readonly fake: FakeWechat
  readonly outgoing: readonly Outgoing[]
  readonly logPath: string | undefined
}

function sayWhere({ gatewayUrl, workerUrl, replaced }: Services, { redis, fake, outgoing, logPath }: Where): void {
  say()
  say(`  operators    ${gatewayUrl}/dead-letters`)
  say(`  dashboard    ${gatewayUrl}/dashboard`)
  say(`  docs         ${gatewayUrl}/docs`)
  say(`  for SDKs     ${gatewayUrl} in the place of https://api.weixin.qq.com, with appid ${SANDBOX_APP_ID}`)
  say(`  health       ${gatewayUrl}/readyz (gateway)  ${workerUrl}/readyz (worker)`)
  say(`  fake WeChat  ${fake.url}/_control/summary`)
  say(`  Redis        ${redisLine(redis)}`)
  for (const { name, host } of outgoing) say(`  ${name.padEnd(12)} ${host}`)
  say(`  log          ${logPath === undefined ? 'on stderr' : shownPath(logPath)}`)
  const fakeMoved = new URL(fake.url).port === String(FAKE_PORT) ? [] : [FAKE_PORT]
  for (const port of [...replaced, ...fakeMoved]) say(`  Port ${port} is taken: a free one is used instead.`)
}

function sayNext({ gatewayUrl }: Services, { redis, fake }: Pick<Where, 'redis' | 'fake'>): void {
  const wxo = 'npx -y pnpm@12 wxo'
  say('\nNext:')
  say(`  see the dead letters, and replay one:  ${gatewayUrl}/dead-letters`)
  say('  send a message yourself, in another terminal:')
  say(`    ${redisVariable(redis)} ${wxo} send --app ${SANDBOX_APP_ID} --to ${PLAYMATE} --text 您好`)
  say('  send one to somebody who has not written: it waits. Then let them write, and it goes out:')
  say(`    ${redisVariable(redis)} ${wxo} send --app ${SANDBOX_APP_ID} --to ${STRANGER} --on-closed hold --text 您好`)
  say(`    curl -X POST ${fake.url}/_control/users/${STRANGER} -d '{"action":"message"}'`)
  say('  check that all is well:')
  say(`    ${redisVariable(redis)} WECHAT_API_BASE_URL=${fake.url} ${wxo} doctor`)
  say('  with your own app: set WECHAT_APP_ID and WECHAT_APP_SECRET')
  say('  step by step: docs/quickstart.md, docs/quickstart.zh-CN.md')
  say('\nCtrl-C ends it.')
}
