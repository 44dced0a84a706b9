import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import type { Outbox } from '@wechat-outbox/outbox'
import { createTokenStore, type Run, readHold, type Settlement } from '@wechat-outbox/outbox/engine'
import { expiryReason, failedElsewhereReason } from '@wechat-outbox/policy'
import { createLogger } from '@wechat-outbox/runtime'
import { createTestConsumer, type StoreWorld, startStoreWorld } from '@wechat-outbox/test-world'
import { createTokenSource, createWechatClient, type WechatClient } from '@wechat-outbox/wechat'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DeliverOptions, deliver } from '../src/deliver.ts'
import { createWorkerMetrics } from '../src/metrics.ts'
import type { Pictures } from '../src/pictures.ts'
import { createRecorder } from '../src/record.ts'
import { createTokens, type Tokens } from '../src/tokens.ts'

/** No message here has a picture. */
const noPictures: Pictures = {
  known: () => undefined,
  obtain: () => Promise.reject(new Error('no picture')),
  forget: () => Promise.resolve(),
  close: () => undefined,
}
const LEASE_MS = 2000
const appid = SANDBOX_APP_ID

let world: StoreWorld
let fake: FakeWechat
let client: WechatClient
let outbox: Outbox
let ends: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  world = await startStoreWorld({ appid })
  outbox = world.outbox
  fake = await startFakeWechat()
  client = createWechatClient({ baseUrl: fake.url, connections: 8, timeoutMs: 500 })
  ends = []
})
afterEach(async () => {
  for (const end of ends) await end()
  await Promise.all([client.close(), fake.close()])
  await world.close()
})

/** A worker of one app, whose runs go through `around` on their way to `deliver`. */
async function work(around: (run: Run, options: DeliverOptions) => Promise<Settlement>): Promise<void> {
  const { store } = world
  const log = createLogger({ level: 'silent', name: 'test' })
  const recorder = createRecorder(log, appid, createWorkerMetrics(new Registry()).forApp(appid))
  const secret = SANDBOX_APP_SECRET
  // A fetch that timed out on a busy machine would be remembered for longer than these tests wait.
  const tokenClient = createWechatClient({ baseUrl: fake.url, connections: 2, timeoutMs: 10_000 })
  ends.push(() => tokenClient.close())
  const source = createTokenSource({ type: 'stable' }, { appid, secret, client: tokenClient, timeoutMs: 10_000 })
  if (source.kind !== 'shared') throw new Error('not shared')
  const tokens = createTokens({
    appid,
    source,
    store: createTokenStore(store, appid),
    log,
    fetchTimeoutMs: 10_000,
  })
  const limits = {
    triesMax: 5,
    backoffMs: 10,
    backoffMsMax: 50,
    sendTimeoutMs: 500,
    leaseMs: LEASE_MS,
    probeEveryMs: 200,
    onClosed: 'dead-letter' as const,
  }
  const consumer = createTestConsumer({
    appid,
    store,
    deliver: (run) => around(run, { tokens, pictures: noPictures, client, recorder, ...limits }),
    explainFailure: failedElsewhereReason,
    explainExpiry: expiryReason,
    isReady: () => tokens.isReady(),
    probeToken: async () => (await tokens.probe()).kind === 'token',
    report: recorder,
    concurrency: 4,
    stalledAfterMs: LEASE_MS,
  })
  await consumer.run()
  ends.push(() => consumer.close(1000))
}

const text = (content: string) => ({ touser: 'o-deliver', msgtype: 'text' as const, text: { content } })
const untilDelivered = (id: string) =>
  vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('delivered'), 15_000)

/** The client, with the time that each call was given. */
function watchCalls(options: DeliverOptions): { options: DeliverOptions; given: number[] } {
  const given: number[] = []
  const send: WechatClient['send'] = (call) => {
    given.push(call.timeoutMs ?? Number.POSITIVE_INFINITY)
    return options.client.send(call)
  }
  return { options: { ...options, client: { ...options.client, send } }, given }
}

/** The whole process stands still once the message is admitted, as it does under SIGSTOP or a long collection of garbage. */
const slowedAfterAdmission = (run: Run, ms: number): Run => ({
  ...run,
  async admit(member) {
    const turn = await run.admit(member)
    const until = performance.now() + ms
    while (performance.now() < until);
    return turn
  },
})

describe('the lease', () => {
  it('makes no call when the process stood still between admission and the call', async () => {
    // The client makes no call without time either; but nobody asks it to.
    const calls: number[] = []
    await work(async (run, options) => {
      if (calls.length > 0) return deliver(run, options)
      const watched = watchCalls(options)
      const settlement = await deliver(slowedAfterAdmission(run, LEASE_MS), watched.options)
      calls.push(watched.given.length, fake.ledger.sendCount())
      return settlement
    })
    const { id } = await outbox.send(text('leased'))
    await vi.waitFor(() => expect(calls).toEqual([0, 0]), 10_000)
    await untilDelivered(id)
    expect(fake.ledger.accepted().filter(({ rawBody }) => rawBody.includes('leased'))).toHaveLength(1)
  })

  it('leaves a call no more time than is left of it, and a second to settle', async () => {
    const calls: number[] = []
    await work(async (run, options) => {
      const watched = watchCalls({ ...options, sendTimeoutMs: 60_000 })
      const settlement = await deliver(slowedAfterAdmission(run, 300), watched.options)
      calls.push(...watched.given)
      return settlement
    })
    await untilDelivered((await outbox.send(text('bounded'))).id)
    expect(calls).toHaveLength(1)
    expect(calls[0]).toBeGreaterThan(0)
    expect(calls[0]).toBeLessThanOrEqual(LEASE_MS - 1000 - 300)
  })
})

describe('a turn that has come with the fetch', () => {
  it('is given back before a token is waited for', async () => {
    const asked: string[] = []
    await work((run, options) => {
      const waive = () => {
        asked.push('waive')
        return run.waive()
      }
      const current = () => {
        asked.push('token')
        return options.tokens.current()
      }
      return deliver({ ...run, waive }, { ...options, tokens: { ...options.tokens, isReady: () => false, current } })
    })
    const { id } = await outbox.send(text('waits for a token'))
    await untilDelivered(id)
    expect(asked).toEqual(['waive', 'token'])
  })
})

describe('a message whose token WeChat refuses', () => {
  const outcomesOf = async (id: string) => (await outbox.status(id))?.attempts.map(({ outcome }) => outcome)

  /** Each token that replaces another is dead on arrival, `times` in a row. */
  const dyingTokens =
    (times: number) =>
    (run: Run, options: DeliverOptions): Promise<Settlement> => {
      let left = times
      const tokens: Tokens = {
        ...options.tokens,
        async replace(bad, call) {
          const replaced = await options.tokens.replace(bad, call)
          if (replaced.kind === 'token' && replaced.fresh && left-- > 0) fake.control.invalidateTokens()
          return replaced
        },
      }
      return deliver(run, { ...options, tokens })
    }

  async function sendAfterDeath(): Promise<string> {
    await untilDelivered((await outbox.send(text('before'))).id)
    fake.control.invalidateTokens()
    return (await outbox.send(text('after'))).id
  }

  it('is sent within the same run when two die one after the other', async () => {
    await work(dyingTokens(1))
    const id = await sendAfterDeath()
    await untilDelivered(id)
    // The second is so young that it is tried twice.
    expect(await outcomesOf(id)).toEqual(['token-refreshed', 'token-refreshed', 'token-refreshed', 'delivered'])
    expect(fake.ledger.tokenCalls()).toHaveLength(3)
  })

  it('waits once three fresh ones are refused, and nobody fetches a fourth', async () => {
    await work(dyingTokens(3))
    const id = await sendAfterDeath()
    const refused = [...Array.from({ length: 5 }, () => 'token-refreshed'), 'suspended']
    await vi.waitFor(async () => expect(await outcomesOf(id)).toEqual(refused), 10_000)
    // For a minute, however often other faults are probed: here every 200 ms.
    const { since = 0, until = 0 } = (await readHold(world.store, appid))?.fault ?? {}
    expect(until - since).toBe(60_000)
    expect(fake.ledger.tokenCalls()).toHaveLength(4)
  })
})

describe('a message that expires between two tries', () => {
  it('is dead without another call, and says what stood in the way', async () => {
    const { redis } = world.store
    const { id } = await outbox.send({ ...text('too late'), expiresAt: Date.now() - 1 })
    const busy = { at: 1, outcome: 'retry', ms: 1, errcode: -1, errmsg: 'system error' }
    const history = JSON.stringify([JSON.stringify({ attempts: [busy] })])
    await redis.hset(`{wxo:${appid}}:send:${id}`, 'stacktrace', history)
    await work(deliver)
    await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('dead'), 10_000)
    expect((await outbox.status(id))?.attempts).toEqual([busy])
    const letter = JSON.parse(
      (await redis.hget(`{wxo:${appid}}:dead-letter:d-${id.slice(2)}`, 'data')) ?? '{}',
    ) as object
    expect(letter).toMatchObject({ reason: { name: 'expired', errcode: -1, errmsg: 'system error' } })
    expect(fake.ledger.sendCount()).toBe(0)
  })
})

describe('a message whose earlier run died with its call open', () => {
  const dieOnce = async (ifUnsure: 'resend' | 'dead-letter'): Promise<string> => {
    const { redis } = world.store
    const { id } = await outbox.send({ ...text(ifUnsure), ifUnsure })
    await redis.hset(`{wxo:${appid}}:send:${id}`, 'sending', String(Date.now() - 3000))
    await work(deliver)
    return id
  }

  it('is sent again, and its history says so', async () => {
    const id = await dieOnce('resend')
    await untilDelivered(id)
    expect((await outbox.status(id))?.attempts.map(({ outcome }) => outcome)).toEqual(['unsure', 'delivered'])
  })

  it('is dead as unsure, without a call, when it must not be sent twice', async () => {
    const id = await dieOnce('dead-letter')
    await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('dead'), 10_000)
    expect((await outbox.status(id))?.attempts.map(({ outcome }) => outcome)).toEqual(['unsure'])
    expect(fake.ledger.sendCount()).toBe(0)
  })
})
