/**
 * Who is there whatever goes wrong: a fake WeChat in this process, where its ledger is at hand, and workers and producers in
 * processes of their own, which are started again as a supervisor would. Which Redis they see, and through which proxies, is for
 * whoever puts them there to say.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/fake-wechat'
import type { OutboxOptions } from '@wechat-outbox/outbox'
import { startProcess } from '@wechat-outbox/sandbox'
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
  /** Lets the producers send this share of the messages, as fast as they can; at first they may send none. */
  allow(share: number): Promise<void>
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
  /** Laid over the environment of all these processes. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** A WeChat as it is: it takes a moment, and is busy now and then. */
export function makeSlow(fake: FakeWechat): void {
  fake.control.addFault({ fault: { name: 'latency', minMs: 1, maxMs: 60 } })
  fake.control.addFault({ rate: 0.03, fault: { name: 'errcode', errcode: -1 } })
}

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
    // A fault of the connection to WeChat holds the app for a moment, as any other fault of the chaos lasts a moment.
    PROBE_EVERY_MS: '500',
    RETRY_BACKOFF_MS: '10',
    RETRY_BACKOFF_MS_MAX: '100',
    // Nobody shall die of bad luck: every broken call counts as a try.
    RETRY_ATTEMPTS_MAX: '1000',
    RETAIN_DELIVERED_MAX: '1000000',
    ...env,
  }
  const gateFile = join(dir, 'gate')
  const allow = async (share: number): Promise<void> => {
    // In one step, or a producer would read half a number.
    await writeFile(`${gateFile}.new`, String(share))
    await rename(`${gateFile}.new`, gateFile)
  }
  await allow(0)
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
    allow,
    books: () => Promise.all(plan.producers.map(async ({ name }) => parseBook(await readFile(bookOf(name), 'utf8')))),
    async close() {
      await Promise.all([...workers, ...producers].map((one) => one.end()))
    },
  }
}
