import type { Attempt, JobData, Reason } from '@wechat-outbox/messages'
import { Registry } from 'prom-client'
import { beforeEach, expect, it } from 'vitest'
import { type AppMetrics, createWorkerMetrics, type WorkerMetrics } from '../src/metrics.ts'

const APP = 'wx0123456789abcdef'
const data: JobData = { v: 1, touser: 'o-anna', msgtype: 'text', text: { content: 'x' } }
const reason = (errcode: number | null): Reason => ({
  errcode,
  name: 'x',
  errmsg: '',
  meaning: { en: '', zh: '' },
  source: '',
})

let registry: Registry
let metrics: WorkerMetrics
let app: AppMetrics
beforeEach(() => {
  registry = new Registry()
  metrics = createWorkerMetrics(registry)
  app = metrics.forApp(APP)
})
const attempt = (given: Partial<Attempt>, at: Partial<JobData> = {}): void =>
  app.attempted({
    attempt: { at: 1, outcome: 'delivered', ms: 120, ...given },
    data: { ...data, ...at } as JobData,
    acceptedAt: Date.now() - 7000,
    nowMs: Date.now(),
  })
/** The samples of a metric without its comments. */
const samples = async (name: string): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith(name))

it('counts what came of messages, each death once', async () => {
  attempt({ outcome: 'delivered', errcode: 0 })
  attempt({ outcome: 'retry', errcode: -1 })
  attempt({ outcome: 'retry', errcode: -1 })
  attempt({ outcome: 'unsure' })
  attempt({ outcome: 'dead', errcode: 45015 })
  app.dead(reason(45015))
  app.dead(reason(null))
  app.replayed()
  expect((await samples('wxo_messages_total')).sort()).toEqual(
    [
      `wxo_messages_total{app="${APP}",outcome="delivered",errcode="0"} 1`,
      `wxo_messages_total{app="${APP}",outcome="retry",errcode="-1"} 2`,
      `wxo_messages_total{app="${APP}",outcome="unsure",errcode="none"} 1`,
      `wxo_messages_total{app="${APP}",outcome="dead",errcode="45015"} 1`,
      `wxo_messages_total{app="${APP}",outcome="dead",errcode="none"} 1`,
      `wxo_messages_total{app="${APP}",outcome="replayed",errcode="none"} 1`,
    ].sort(),
  )
})

it('knows an app before its first message', async () => {
  expect(await samples('wxo_messages_total')).toEqual([
    `wxo_messages_total{app="${APP}",outcome="delivered",errcode="0"} 0`,
  ])
})

it('has one label for all codes that the table does not know', async () => {
  for (let errcode = 700_000; errcode < 701_000; errcode += 1) attempt({ outcome: 'retry', errcode })
  attempt({ outcome: 'suspended', errcode: 40125, ms: 0 })
  const lines = await samples('wxo_messages_total')
  expect(lines).toContain(`wxo_messages_total{app="${APP}",outcome="retry",errcode="other"} 1000`)
  expect(lines).toContain(`wxo_messages_total{app="${APP}",outcome="suspended",errcode="40125"} 1`)
  expect(lines).toHaveLength(3)
})

it('measures calls, and nothing that was none', async () => {
  attempt({ outcome: 'delivered', ms: 0 })
  attempt({ outcome: 'dead', ms: 240 })
  attempt({ outcome: 'unsure', ms: 0 })
  attempt({ outcome: 'token-unavailable', ms: 0 })
  expect(await samples('wxo_send_duration_seconds_count')).toEqual(['wxo_send_duration_seconds_count 2'])
  expect(await samples('wxo_send_duration_seconds_sum')).toEqual(['wxo_send_duration_seconds_sum 0.24'])
})

it('measures the delay of what was delivered, from its sendAt on if it has one', async () => {
  attempt({ outcome: 'retry' })
  attempt({ outcome: 'delivered' })
  const sum = async () => Number((await samples('wxo_delivery_delay_seconds_sum'))[0]?.split(' ')[1])
  expect(await sum()).toBeGreaterThanOrEqual(7)
  attempt({ outcome: 'delivered' }, { sendAt: Date.now() + 60_000 })
  expect(await samples('wxo_delivery_delay_seconds_count')).toEqual(['wxo_delivery_delay_seconds_count 2'])
  // A clock that is behind Redis's gives no negative time.
  expect(await sum()).toBeLessThan(14)
})

it('counts tokens by what came of asking for one, and dead letters that grew too old', async () => {
  const refreshes = (stored: number, failed: number) => [
    `wxo_token_refreshes_total{app="${APP}",result="stored"} ${stored}`,
    `wxo_token_refreshes_total{app="${APP}",result="failed"} ${failed}`,
  ]
  expect(await samples('wxo_token_refreshes_total')).toEqual(refreshes(0, 0))
  for (const result of ['stored', 'failed', 'superseded', 'stored'] as const) app.refreshed(result)
  app.expired(3)
  expect(await samples('wxo_token_refreshes_total')).toEqual([
    ...refreshes(2, 1),
    `wxo_token_refreshes_total{app="${APP}",result="superseded"} 1`,
  ])
  expect(await samples('wxo_dead_letters_expired_total')).toEqual([`wxo_dead_letters_expired_total{app="${APP}"} 3`])
})
