/**
 * A real Redis, a real consumer that lets every message die as its text says, and the command line as a whole, from its arguments to
 * its exit code. `main.test.ts` shows that it is the same as a process of its own.
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { type JobData, type Reason, readJobData } from '@wechat-outbox/messages'
import type { Consumer, ListedDeadLetter, Run, Settlement } from '@wechat-outbox/outbox/engine'
import type { LocalRedisOptions } from '@wechat-outbox/sandbox'
import { createTestConsumer, type StoreWorld, startStoreWorld } from '@wechat-outbox/test-world'
import { runWxo } from '../src/run.ts'

export const APP = 'wx00000000000000aa'
export const SECRET_TOKEN = 'token-that-nobody-may-see'
// Vitest asks for colours.
delete process.env['FORCE_COLOR']

export const MAIN = join(import.meta.dirname, '../src/main.ts')

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface World extends StoreWorld {
  /** Takes messages: a text `die 45015` dies of that code, any other is delivered. */
  consume(): Promise<Consumer>
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>
}

export interface CliOptions {
  /** Of a process of its own: killed after that. Default 20 s. */
  readonly timeoutMs?: number
  readonly env?: Record<string, string | undefined>
  readonly input?: string | Buffer
  readonly interactive?: boolean
}

export async function startWorld(options: Partial<LocalRedisOptions> = {}): Promise<World> {
  const world = await startStoreWorld({ appid: APP, ...options })
  const consumers: Consumer[] = []
  return {
    ...world,
    async consume() {
      const consumer = createTestConsumer({ appid: APP, store: world.store, deliver: settle, concurrency: 8 })
      consumers.push(consumer)
      await consumer.run()
      return consumer
    },
    cli: (args, cliOptions = {}) =>
      runCli(args, { ...cliOptions, env: { REDIS_URL: world.redis.url, ...cliOptions.env } }),
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close(1000)))
      await world.close()
    },
  }
}

async function settle(run: Run): Promise<Settlement> {
  const read = readJobData(run.data)
  if (read.kind !== 'ok') return { kind: 'dead', reason: reasonOf(null, 'invalid-message', read.kind), attempts: [] }
  const turn = await run.admit(read.data)
  return turn.kind === 'go' ? settlementOf(read.data) : turn
}

function settlementOf(data: JobData): Settlement {
  const text = data.msgtype === 'text' ? data.text.content : ''
  const errcode = Number(/^die (-?\d+)/.exec(text)?.[1] ?? 0)
  const attempt = { at: Date.now(), ms: 12, errcode, errmsg: errcode === 0 ? 'ok' : 'no \u001b[31mway', rid: 'abc-123' }
  // A replayed message is delivered, as if the person had answered meanwhile.
  if (errcode === 0 || data.replayOf !== undefined)
    return { kind: 'delivered', attempts: [{ ...attempt, outcome: 'delivered' }] }
  const reason = reasonOf(errcode, errcode === 45015 ? 'reply-window-closed' : 'invalid-openid', 'no way')
  return { kind: 'dead', reason, attempts: [{ ...attempt, outcome: 'dead' }] }
}

function reasonOf(errcode: number | null, name: string, errmsg: string): Reason {
  return { errcode, name, errmsg, meaning: { en: 'It was too late.', zh: '太晚了。' }, source: 'a test' }
}

/** Runs `wxo` to its end, in this process: a process of its own costs half a second of work each time. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const stdout = collector()
  const stderr = collector()
  const stdin = Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)])
  const { env: environment = {}, interactive = false } = options
  const streams = { stdin, stdout: stdout.stream, stderr: stderr.stream }
  const code = await runWxo(args, { environment, ...streams, interactive })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** A stream that keeps what is written to it. */
export function collector(): { stream: Writable; text: () => string } {
  const chunks: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      chunks.push(String(chunk))
      done()
    },
  })
  return { stream, text: () => chunks.join('') }
}

/** Runs `wxo` as a process of its own. Nothing of our own environment that it reads goes with it. */
export function runProcess(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const own = { REDIS_URL: undefined, WECHAT_APP_ID: undefined, WECHAT_API_BASE_URL: undefined, FORCE_COLOR: undefined }
  const env = { ...process.env, ...own, ...options.env }
  const { timeoutMs: timeout = 20_000 } = options
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: 'pipe', timeout, killSignal: 'SIGKILL' })
  const chunks = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (chunks.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (chunks.stderr += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...chunks }))
  })
}

/** What documents of several commands hold, as far as tests go into it. */
export interface CliDocument {
  readonly id: string
  readonly touser: string
  readonly more: boolean
  readonly error: { readonly code: string; readonly issues: readonly { readonly path: string }[] }
  readonly items: readonly ListedDeadLetter[]
}

/** The JSON document on stdout. Throws where there is anything else. */
export function documentOf<T = CliDocument>(result: CliResult): T {
  return JSON.parse(result.stdout) as T
}
