/** What the tests of the gateway share: a Redis with real dead letters in it, a gateway, and requests as raw as they need. */

import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { Reason } from '@wechat-outbox/messages'
import { APPS_KEY, type Consumer, openStore, type Run, type Settlement } from '@wechat-outbox/outbox/engine'
import { createLogger } from '@wechat-outbox/runtime'
import { createTestConsumer, type StoreWorld, startStoreWorld } from '@wechat-outbox/test-world'
import { expect, vi } from 'vitest'
import { type RunningGateway, readGatewayConfig, startGateway } from '../../src/index.ts'

export const APPID = 'wx1234567890abcdef'
export const OPENID = 'oABCD1234567890_wxyz-EFGHijk'
/** A host that others reach, and the key that it takes to open the gateway there. */
export const KEY = 'a-key-for-these-tests-alone'
export const EXPOSED = { GATEWAY_HOST: '0.0.0.0', GATEWAY_API_KEYS: KEY }
export const SECRET_TEXT = '您的验证码是 493817'

const windowClosed: Reason = {
  errcode: 45015,
  name: 'reply-window-closed',
  errmsg: 'response out of time limit',
  meaning: { en: 'The reply window has closed.', zh: '回复时间超过限制' },
  source: 'https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/kf-mgnt/kf-message/sendCustomMessage.html',
}

export type World = StoreWorld

export async function startWorld(): Promise<World> {
  const world = await startStoreWorld({ appid: APPID, appendonly: false })
  // As if a worker had served it: the gateway takes messages for no other app.
  await world.store.redis.sadd(APPS_KEY, APPID)
  return world
}

/** A consumer that declares every message dead, unless it is told what to do, and every dead letter replayed, as real ones are. */
export async function startUndertaker(
  world: World,
  options: { appid?: string; replayPerSecond?: number; settle?: (run: Run) => Settlement } = {},
): Promise<Consumer> {
  const consumer = createTestConsumer({
    appid: options.appid ?? APPID,
    store: await openStore(await world.connect()),
    deliver: async (run) => {
      const turn = await run.admit(run.data as { touser: string })
      if (turn.kind !== 'go') return { kind: turn.kind === 'park' ? 'park' : 'lost' }
      if (options.settle !== undefined) return options.settle(run)
      const attempt = { at: Date.now(), outcome: 'dead', ms: 12, errcode: 45015, errmsg: windowClosed.errmsg } as const
      return { kind: 'dead', reason: windowClosed, attempts: [attempt] }
    },
    explainFailure: () => windowClosed,
    explainExpiry: () => windowClosed,
    report: { problem: (problem) => console.error('undertaker', problem) },
    replayPerSecond: options.replayPerSecond ?? 0,
  })
  await consumer.run()
  return consumer
}

/** Sends messages and lets a consumer bury them. Returns the ids of the dead letters. */
export async function bury(world: World, messages: readonly object[]): Promise<string[]> {
  const consumer = await startUndertaker(world)
  const receipts = await world.outbox.sendMany(messages.map((message) => ({ touser: OPENID, ...message }) as never))
  const ids = receipts.map((receipt) => ('id' in receipt ? receipt.id.replace('m-', 'd-') : 'refused'))
  // What a move that failed leaves behind the sweep finds, and that comes every 30 seconds.
  const buried = async (): Promise<void> => {
    // Comparing a thousand with a thousand by a matcher, twenty times a second, would keep the consumer from its work.
    const there = new Set(await deadIds(world))
    expect(ids.filter((id) => !there.has(id))).toEqual([])
  }
  await vi.waitFor(buried, { timeout: 50_000 })
  await consumer.close(1000)
  return ids
}

/** The ids that stand in the Failed tab. */
export function deadIds(world: World): Promise<string[]> {
  return world.store.redis.zrange(`{wxo:${APPID}}:dead-letter:failed`, '0', '-1')
}

export interface LogLine {
  readonly event: string
  readonly [field: string]: unknown
}

export interface TestGateway extends RunningGateway {
  readonly port: number
  /** Everything logged so far, parsed, and as it was written. */
  readonly lines: () => LogLine[]
  readonly text: () => string
}

export async function openGateway(env: Record<string, string>): Promise<TestGateway> {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line) }
  const log = createLogger({ level: 'debug', name: 'gateway', destination })
  const gateway = await startGateway(readGatewayConfig({ GATEWAY_PORT: '0', SHUTDOWN_TIMEOUT_MS: '2000', ...env }), log)
  return {
    ...gateway,
    port: Number(new URL(gateway.url).port),
    lines: () => written.map((line) => JSON.parse(line) as LogLine),
    text: () => written.join(''),
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Sends a request exactly as it is given: no path is tidied up and no header added but Host, if none is given. */
export function ask(
  port: number,
  line: string,
  options: { headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const [method = 'GET', path = '/'] = line.split(' ')
  const length = options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }
  const headers = { ...length, ...options.headers }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    request.on('error', reject)
    request.end(options.body)
  })
}

export function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}
