/** The whole system in real processes: Redis, the fake WeChat, workers, the command line, and a producer here or apart. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type FaultRule,
  type LedgerSummary,
  type OtherCall,
  SANDBOX_APP_ID,
  SANDBOX_APP_SECRET,
  type SendEntry,
  type TokenCall,
} from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { type LocalRedis, type StartedProcess, startLocalRedis, startProcess } from '@wechat-outbox/sandbox'

const ROOT = join(import.meta.dirname, '../../..')
export const APP = SANDBOX_APP_ID
export const SECRET = SANDBOX_APP_SECRET

interface WholeLedger {
  sends: SendEntry[]
  tokenCalls: TokenCall[]
  otherCalls: OtherCall[]
  tokensIssued: string[]
}

export interface Fake {
  readonly url: string
  sends(): Promise<SendEntry[]>
  accepted(content: string): Promise<SendEntry[]>
  ledger(): Promise<WholeLedger>
  /** Counts alone, which cost little. */
  summary(): Promise<LedgerSummary>
  fault(rule: FaultRule): Promise<void>
  clearFaults(): Promise<void>
  user(openid: string, action: string): Promise<void>
  invalidateTokens(): Promise<void>
  /** Media ids given out so far serve no longer. */
  forgetMedia(): Promise<void>
  /** Adds an app, or gives a known one another secret. */
  app(appid: string, secret: string): Promise<void>
}

export interface System {
  readonly redis: LocalRedis
  readonly fake: Fake
  readonly outbox: Outbox
  readonly env: Record<string, string>
  /** The workers, in the order of their start, and the gateway. */
  readonly workers: StartedProcess[]
  worker(env?: Record<string, string>): Promise<StartedProcess>
  /** Starts the gateway and returns its URL. */
  gateway(env?: Record<string, string>): Promise<string>
  /** Runs `wxo` to its end. */
  wxo(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
  /** Everything that the processes wrote. */
  output(): string
  restartRedis(): Promise<void>
  close(): Promise<void>
}

/** Short backoffs and a short lease, so that a test sees in seconds what takes minutes in production. */
const QUICK = { RETRY_BACKOFF_MS: '20', RETRY_BACKOFF_MS_MAX: '200', STALLED_AFTER_MS: '3000', SEND_TIMEOUT_MS: '1000' }

export async function startSystem({
  workers = 1,
  env = {},
}: {
  workers?: number
  env?: Record<string, string>
} = {}): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-e2e-'))
  let redis = await startLocalRedis({ dir })
  const processes: StartedProcess[] = []
  const start = (args: string[], extra: Record<string, string> = {}): StartedProcess => {
    const started = startProcess({ args, cwd: ROOT, env: { ...systemEnv, ...extra } })
    processes.push(started)
    return started
  }
  const systemEnv: Record<string, string> = {
    REDIS_URL: redis.url,
    WECHAT_APP_ID: APP,
    WECHAT_APP_SECRET: SECRET,
    WORKER_PORT: '0',
    ...QUICK,
    ...env,
  }
  const fakeProcess = start(['packages/fake-wechat/src/main.ts'])
  const [, fakeUrl = ''] = await fakeProcess.waitForLine(/listens on (\S+)/)
  systemEnv['WECHAT_API_BASE_URL'] = fakeUrl
  const outbox = new Outbox({ redis: redis.url, appid: APP })
  const started: StartedProcess[] = []
  const system: System = {
    get redis() {
      return redis
    },
    fake: fakeClient(fakeUrl),
    outbox,
    env: systemEnv,
    workers: started,
    async worker(extra = {}) {
      const worker = start(['apps/worker/src/main.ts'], extra)
      await worker.waitForLine(/"worker.started"/)
      started.push(worker)
      return worker
    },
    async gateway(extra = {}) {
      const gateway = start(['apps/gateway/src/main.ts'], { GATEWAY_PORT: '0', ...extra })
      const [, url = ''] = await gateway.waitForLine(/"url":"(http[^"]+)"/)
      started.push(gateway)
      return url
    },
    async wxo(...args) {
      const command = start(['apps/cli/src/main.ts', ...args])
      const { code } = await command.exited
      return { code, stdout: command.stdout(), stderr: command.stderr() }
    },
    output: () => processes.map((one) => one.stdout() + one.stderr()).join('\n'),
    async restartRedis() {
      const { port } = redis
      await redis.kill9()
      redis = await startLocalRedis({ dir, port })
    },
    async close() {
      await outbox.close()
      await Promise.all(processes.map((one) => one.stop('SIGTERM', 5000)))
      await redis.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
  for (let n = 0; n < workers; n += 1) await system.worker()
  return system
}

function fakeClient(url: string): Fake {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' }
    const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${url}/_control/${path}`, init)
    if (!answer.ok) throw new Error(`the fake answered ${answer.status}: ${await answer.text()}`)
    return answer.json()
  }
  const ledger = async () => {
    const whole: WholeLedger = { sends: [], tokenCalls: [], otherCalls: [], tokensIssued: [] }
    for (let since = 0; ; ) {
      const page = (await call('GET', `ledger?since=${since}`)) as WholeLedger
      whole.sends.push(...page.sends)
      whole.tokenCalls = page.tokenCalls
      whole.otherCalls = page.otherCalls
      whole.tokensIssued = page.tokensIssued
      const last = page.sends.at(-1)
      if (last === undefined || last.seq === since) return whole
      since = last.seq
    }
  }
  return {
    url,
    ledger,
    summary: async () => (await call('GET', 'summary')) as LedgerSummary,
    sends: async () => (await ledger()).sends,
    accepted: async (content) =>
      (await ledger()).sends.filter((send) => send.accepted && send.rawBody.includes(content)),
    fault: async (rule) => void (await call('POST', 'faults', rule)),
    clearFaults: async () => void (await call('DELETE', 'faults')),
    user: async (openid, action) => void (await call('POST', `users/${openid}`, { action })),
    forgetMedia: async () => void (await call('POST', 'media/forget', {})),
    invalidateTokens: async () => void (await call('POST', 'tokens/invalidate', {})),
    app: async (appid, secret) => void (await call('POST', 'apps', { appid, secret })),
  }
}

export const text = (touser: string, content: string) => ({ touser, msgtype: 'text' as const, text: { content } })
