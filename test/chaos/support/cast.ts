/**
 * Who is there whatever goes wrong: a fake WeChat in this process, where its ledger is at hand, and workers and producers in
 * processes of their own, which are started again as a supervisor would. Which Redis they see, and over which roads, is for
 * whoever puts them there to say.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/fake-wechat'
import type { OutboxOptions } from '@wechat-outbox/outbox'
import { startProcess } from '@wechat-outbox/sandbox'
import { CALM_FROM } from './fault-plan.ts'
import type { Plan } from './plan.ts'
import { type BookLine, parseBook } from './producer-book.ts'
import { type Supervised, supervise } from './supervise.ts'

const ROOT = join(import.meta.dirname, '../../..')
export const APP = SANDBOX_APP_ID
export const SEND_TIMEOUT_MS = 1000

export interface Cast {
  readonly fake: FakeWechat
  readonly workers: readonly Supervised[]
  readonly producers: readonly Supervised[]
  /** The share of the messages that have reached WeChat. */
  progress(): number
  /** Lets the producers wait a moment and then do much at once, so that what comes next meets them at work. */
  surge(): Promise<void>
  /** Lets the producers send the last part, which is kept for the time after the faults. */
  calm(): void
  /** What each producer wrote down. */
  books(): Promise<BookLine[][]>
  close(): Promise<void>
}

export interface CastOptions {
  readonly plan: Plan
  readonly fake: FakeWechat
  /** Holds the books of the producers. */
  readonly dir: string
  /** Where the workers find WeChat, and each of them its Redis. */
  readonly wechatUrl: string
  readonly workerUrls: readonly string[]
  readonly producerUrl: string
  readonly durability?: OutboxOptions['durability'] | undefined
  /** How long a lock and a lease last. */
  readonly leaseMs: number
  readonly concurrency: number
  /** Messages that producers may be ahead of WeChat. */
  readonly ahead: number
  /** Laid over the environment of all these processes. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** A WeChat as it is: it takes a moment, and is busy now and then. */
export function makeSlow(fake: FakeWechat): void {
  fake.control.addFault({ fault: { name: 'latency', minMs: 1, maxMs: 30 } })
  fake.control.addFault({ rate: 0.03, fault: { name: 'errcode', errcode: -1 } })
}

const GATE_EVERY_MS = 40
const GATE_OPENS_AFTER_MS = 2000
const GATE_STEP = 200
const SURGE_HOLD_MS = 300
const SURGE_STEP = 150

export async function startCast(options: CastOptions): Promise<Cast> {
  const { plan, fake, dir, env = {} } = options
  const workerEnv = {
    WECHAT_API_BASE_URL: options.wechatUrl,
    WECHAT_APP_ID: APP,
    WECHAT_APP_SECRET: SANDBOX_APP_SECRET,
    WORKER_PORT: '0',
    WORKER_CONCURRENCY: String(options.concurrency),
    STALLED_AFTER_MS: String(options.leaseMs),
    SEND_TIMEOUT_MS: String(SEND_TIMEOUT_MS),
    // A fault of the road holds the app for a moment, as any other fault of the chaos lasts a moment.
    PROBE_EVERY_MS: '500',
    RETRY_BACKOFF_MS: '10',
    RETRY_BACKOFF_MS_MAX: '100',
    // Nobody shall die of bad luck: every broken call counts as a try.
    RETRY_ATTEMPTS_MAX: '1000',
    RETAIN_DELIVERED_MAX: '1000000',
    ...env,
  }
  const gateFile = join(dir, 'gate')
  const gate = await openGate(gateFile, { plan, fake, ahead: options.ahead })
  const bookOf = (name: string): string => join(dir, `${name}.book`)
  const workers = options.workerUrls.map((url, index) => {
    const args = [join(ROOT, 'apps/worker/src/main.ts')]
    return supervise(`worker-${index + 1}`, () =>
      startProcess({ args, cwd: ROOT, env: { ...workerEnv, REDIS_URL: url } }),
    )
  })
  const producers: Supervised[] = []
  for (const part of plan.producers) {
    const planFile = join(dir, `${part.name}.json`)
    await writeFile(planFile, JSON.stringify(part))
    const script = join(import.meta.dirname, 'producer.ts')
    const files = [planFile, bookOf(part.name), gateFile]
    const args = [script, ...files, options.producerUrl, APP, options.durability ?? 'primary']
    producers.push(supervise(part.name, () => startProcess({ args, cwd: ROOT, env })))
  }
  return {
    fake,
    workers,
    producers,
    progress: () => fake.ledger.acceptedCount() / plan.messages.size,
    surge: () => gate.surge(),
    calm: () => gate.calm(),
    books: () => Promise.all(plan.producers.map(async ({ name }) => parseBook(await readFile(bookOf(name), 'utf8')))),
    async close() {
      gate.stop()
      await Promise.all([...workers, ...producers].map((one) => one.end()))
    },
  }
}

interface Gate {
  stop(): void
  surge(): Promise<void>
  calm(): void
}

/** Keeps the queue filled and no more: with all stored at once, kills of producers would meet none at work. */
async function openGate(file: string, at: { plan: Plan; fake: FakeWechat; ahead: number }): Promise<Gate> {
  let granted = 0
  let held = false
  let limit = CALM_FROM
  let seen = 0
  let since = performance.now()
  let writing: Promise<void> = Promise.resolve()
  const writeNow = async (): Promise<void> => {
    if (held) return
    const reached = at.fake.ledger.acceptedCount()
    if (reached !== seen) {
      seen = reached
      since = performance.now()
    } else if (performance.now() - since > GATE_OPENS_AFTER_MS) {
      // Those that died or were cancelled never reach WeChat: nobody shall wait for them.
      granted += GATE_STEP
      since = performance.now()
    }
    // In one step, or a producer would read half a number.
    const share = (reached + at.ahead + granted) / at.plan.messages.size
    await writeFile(`${file}.new`, String(Math.min(limit, share)))
    await rename(`${file}.new`, file)
  }
  // One at a time: two would share the new file.
  const write = (): Promise<void> => {
    writing = writing.catch(() => undefined).then(writeNow)
    return writing
  }
  await write()
  const timer = setInterval(() => void write().catch(() => undefined), GATE_EVERY_MS)
  return {
    stop: () => clearInterval(timer),
    calm() {
      limit = 1
    },
    async surge() {
      held = true
      await sleep(SURGE_HOLD_MS)
      granted += SURGE_STEP
      held = false
      await write()
    },
  }
}
