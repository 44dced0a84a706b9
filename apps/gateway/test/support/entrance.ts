/** A client of WeChat's, as plain as can be, and a gateway with keys of several kinds for it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeWechat, SANDBOX_APP_ID, startFakeWechat } from '@wechat-outbox/fake-wechat'
import type { StatusReport } from '@wechat-outbox/messages'
import { APPS_KEY } from '@wechat-outbox/outbox/engine'
import { hashApiKey } from '@wechat-outbox/runtime'
import { APPID, openGateway, startWorld, type TestGateway, type World } from './world.ts'

export const OTHER_APPID = 'wxfedcba9876543210'
export const UNSERVED_APPID = 'wx0000000000000000'

export const SHOP_KEY = 'key-of-the-shop-service-1'
export const CRM_KEY = 'key-of-the-crm-service-22'
export const AUDIT_KEY = 'key-that-only-reads-22222'

export const KEYS = [
  { id: 'shop', hash: hashApiKey(SHOP_KEY), apps: [APPID] },
  { id: 'crm', hash: hashApiKey(CRM_KEY) },
  { id: 'audit', hash: hashApiKey(AUDIT_KEY), rights: ['read'] },
]

/** Writes a keys file; a gateway that is open reads it at once. */
export async function writeKeys(path: string, keys: readonly object[]): Promise<void> {
  await writeFile(path, JSON.stringify(keys))
  process.emit('SIGHUP')
}

interface WechatAnswer {
  readonly status: number
  readonly headers: Headers
  readonly errcode?: number
  readonly errmsg?: string
  readonly access_token?: string
  readonly expires_in?: number
}

export function wechatClient(base: string) {
  const call = async (path: string, init: RequestInit = {}): Promise<WechatAnswer> => {
    const response = await fetch(`${base}/cgi-bin${path}`, init)
    const body = (await response.json()) as object
    return { ...body, status: response.status, headers: response.headers }
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<WechatAnswer> => {
    const bytes = typeof body === 'string' || body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body)
    return call(path, { method: 'POST', body: bytes, headers })
  }
  const credentials = (secret: string, appid: string) => ({ grant_type: 'client_credential', appid, secret })
  return {
    call,
    post,
    token: (secret: string, appid = APPID) =>
      call(`/token?${new URLSearchParams(credentials(secret, appid)).toString()}`),
    stableToken: (secret: string, { appid = APPID, ...more }: { appid?: string; force_refresh?: boolean } = {}) =>
      post('/stable_token', { ...credentials(secret, appid), ...more }),
    send: (token: string, body: unknown, headers?: Record<string, string>) =>
      post(`/message/custom/send?access_token=${token}`, body, headers),
  }
}

type WechatClient = ReturnType<typeof wechatClient>

/** A Redis, a fake WeChat, and a gateway between them that asks for keys. */
export interface EntranceWorld {
  readonly world: World
  readonly fake: FakeWechat
  readonly gateway: TestGateway
  readonly wechat: WechatClient
  readonly keysPath: string
  /** Another gateway on the same Redis. */
  open(env?: Record<string, string>): Promise<TestGateway>
  restoreKeys(): Promise<void>
  tokenOf(secret: string, appid?: string): Promise<string>
  status(id: string | null): Promise<StatusReport | null>
  close(): Promise<void>
}

export async function startEntranceWorld(): Promise<EntranceWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'entrance-'))
  const keysPath = join(dir, 'keys.json')
  await writeKeys(keysPath, KEYS)
  const [world, fake] = [await startWorld(), await startFakeWechat()]
  // As if a worker had served them.
  await world.store.redis.sadd(APPS_KEY, OTHER_APPID, SANDBOX_APP_ID)
  const gateways: TestGateway[] = []
  const open = async (env: Record<string, string> = {}): Promise<TestGateway> => {
    const usual = { REDIS_URL: world.redis.url, WECHAT_API_BASE_URL: fake.url, GATEWAY_KEYS_FILE: keysPath }
    const gateway = await openGateway({ ...usual, ...env })
    gateways.push(gateway)
    return gateway
  }
  const gateway = await open()
  const wechat = wechatClient(gateway.url)
  return {
    ...{ world, fake, gateway, wechat, keysPath, open },
    restoreKeys: () => writeKeys(keysPath, KEYS),
    tokenOf: async (secret, appid) => (await wechat.token(secret, appid)).access_token ?? '',
    status: async (id) => (id === null ? null : world.outbox.status(id, APPID)),
    async close() {
      await Promise.all(gateways.map((one) => one.close()))
      await fake.close()
      await world.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export const OK = { status: 200, errcode: 0, errmsg: 'ok' }

export const text = (content: string, touser = 'oAnna') => ({ touser, msgtype: 'text', text: { content } })
