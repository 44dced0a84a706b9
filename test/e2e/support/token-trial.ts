/** Several apps under load while their tokens die or cannot be had, and what the fake has seen of it, app by app. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SendEntry, TokenCall } from '@wechat-outbox/fake-wechat'
import { expect, vi } from 'vitest'
import { SECRET, type System, startSystem } from './system.ts'

export interface Trial {
  readonly system: System
  readonly apps: readonly string[]
  /** One more app, of the same workers. It takes no part in what is produced, invalidated or counted. */
  readonly other: string
  /** Messages per second that WeChat takes from the other app, while one producer stores `count` as fast as it can. */
  throughput(count: number): Promise<number>
  /** Stores `count` messages for each app, in turn to each of its people, and remembers them. */
  produce(count: number): Promise<void>
  tokenCalls(appid: string): Promise<TokenCall[]>
  invalidate(): Promise<void>
  /** How many messages WeChat has taken. */
  accepted(): Promise<number>
  untilAccepted(count: number): Promise<void>
  untilAllAccepted(timeoutMs?: number): Promise<void>
  /** Nothing lost, nothing twice, and in order for each person. */
  expectAllInOrder(): Promise<void>
  close(): Promise<void>
}

export interface TrialOptions {
  readonly workers: number
  readonly apps: number
  /** The `token` of every app, or of each. */
  readonly token?: object | readonly object[]
  readonly env?: Record<string, string>
}

const PEOPLE = 20
/** Past every send: the answer then holds the token calls alone. */
const NO_SENDS = Number.MAX_SAFE_INTEGER
const trialApp = (n: number): string => `wx00000000000000a${n}`
const OTHER = 'wx00000000000000ff'

export async function startTrial({ workers, apps: count, token, env = {} }: TrialOptions): Promise<Trial> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-trial-'))
  const apps = Array.from({ length: count }, (_, n) => trialApp(n))
  const file = join(dir, 'apps.json')
  const configured = apps.map((appid, n) => ({ appid, secret: SECRET, token: Array.isArray(token) ? token[n] : token }))
  await writeFile(file, JSON.stringify([...configured, { appid: OTHER, secret: SECRET }]))
  // One try for each message: whoever loses it to a token is dead. The call may take its time on a busy machine.
  const limits = { RETRY_ATTEMPTS_MAX: '1', SEND_TIMEOUT_MS: '5000', STALLED_AFTER_MS: '10000' }
  const system = await startSystem({ workers: 0, env: { ...limits, WECHAT_APPS_FILE: file, ...env } })
  const control = async (path: string, body?: object): Promise<unknown> => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return (await fetch(`${system.fake.url}/_control/${path}`, init)).json()
  }
  for (const appid of [...apps, OTHER]) await control('apps', { appid, secret: SECRET })
  try {
    // One after the other: together they would take each other's processor.
    for (let n = 0; n < workers; n += 1) await system.worker()
  } catch (error) {
    await system.close()
    throw error
  }
  let produced = 0
  let others = 0
  const sendsOf = async (mine: (appid: string) => boolean): Promise<SendEntry[]> =>
    (await system.fake.sends()).filter(({ accepted, appid }) => accepted && mine(appid ?? ''))
  const accepted = async () => ((await control('summary')) as { accepted: number }).accepted - others
  const untilAccepted = async (goal: number, timeout = 45_000) => {
    const reached = async () => expect(await accepted()).toBeGreaterThanOrEqual(goal)
    await vi.waitFor(reached, { timeout, interval: 20 })
  }
  return {
    system,
    apps,
    other: OTHER,
    async throughput(amount) {
      const requests = Array.from({ length: amount }, (_, n) => ({
        appid: OTHER,
        touser: `o-${n % (10 * PEOPLE)}`,
        msgtype: 'text' as const,
        text: { content: `other ${others + n}` },
      }))
      for (let from = 0; from < amount; from += 1000) {
        const results = await system.outbox.sendMany(requests.slice(from, from + 1000))
        expect(results.every((result) => 'id' in result)).toBe(true)
      }
      const all = await vi.waitFor(
        async () => {
          const sends = await sendsOf((appid) => appid === OTHER)
          expect(sends).toHaveLength(others + amount)
          return sends.slice(others)
        },
        { timeout: 60_000, interval: 250 },
      )
      others += amount
      return amount / (((all.at(-1)?.at ?? 0) - (all[0]?.at ?? 0)) / 1000)
    },
    async produce(amount) {
      const requests = Array.from({ length: amount }, (_, n) => produced + n).flatMap((n) =>
        apps.map((appid) => ({
          appid,
          touser: `o-${n % PEOPLE}`,
          msgtype: 'text' as const,
          text: { content: `${n}` },
        })),
      )
      produced += amount
      for (const result of await system.outbox.sendMany(requests)) expect(result).toHaveProperty('id')
    },
    async tokenCalls(appid) {
      const { tokenCalls } = (await control(`ledger?since=${NO_SENDS}`)) as { tokenCalls: TokenCall[] }
      return tokenCalls.filter((call) => call.appid === appid)
    },
    invalidate: () => system.fake.invalidateTokens(),
    accepted,
    untilAccepted,
    untilAllAccepted: (timeoutMs) => untilAccepted(produced * apps.length, timeoutMs),
    async expectAllInOrder() {
      const sends = await sendsOf((appid) => appid !== OTHER)
      expect(sends).toHaveLength(produced * apps.length)
      const lanes = Map.groupBy(sends, (send) => `${send.appid} ${send.touser}`)
      for (const lane of lanes.values()) {
        const numbers = lane.map(numberOf)
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
        expect(new Set(numbers).size).toBe(numbers.length)
      }
    },
    async close() {
      await system.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function numberOf(send: SendEntry): number {
  return Number((send.body as { text: { content: string } }).text.content)
}

/** The lines of every worker that tell of one event. */
export function eventsOf(system: System, event: string): Record<string, unknown>[] {
  const lines = system.workers.flatMap((worker) => worker.stdout().split('\n'))
  return lines.filter((line) => line.includes(`"${event}"`)).map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** The most calls within any minute. */
export function mostPerMinute(calls: readonly TokenCall[]): number {
  const within = ({ at }: TokenCall) => calls.filter((other) => other.at >= at && other.at < at + 60_000).length
  return Math.max(0, ...calls.map(within))
}
