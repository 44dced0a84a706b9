/** Pushes as WeChat sends them, made by another hand than the gateway’s, and a service that received them before the gateway did. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encrypt, getSignature } from '@wecom/crypto'
import { APPID, OPENID, startWorld, type World } from './world.ts'

export const TOKEN = 'pushToken1234567890abcdef'
export const AES_KEY = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'

export type Form = 'json' | 'xml'
export type Mode = 'plain' | 'compatible' | 'secure'
type Fields = Readonly<Record<string, string | number>>

export interface PushOptions {
  readonly form?: Form
  readonly mode?: Mode
  readonly appid?: string
  readonly token?: string
  readonly aesKey?: string
  /** Epoch seconds, or what is signed and sent in their place. */
  readonly timestamp?: number | string
  readonly nonce?: string
  /** In place of the fields: what is encrypted, or the body of a plain push. */
  readonly message?: string
  /** In place of what is encrypted, signed all the same. */
  readonly encrypted?: string
}

export interface Push {
  readonly query: string
  readonly body: Buffer
  readonly type: string
}

export const nowS = (): number => Math.floor(Date.now() / 1000)

/** A message’s id as WeChat makes them: beyond what a number holds. */
const MSG_ID = '24563721467123456789'

export const textFields = (more: Fields = {}): Fields => ({
  ToUserName: 'gh_97417a04a28d',
  FromUserName: OPENID,
  CreateTime: nowS(),
  MsgType: 'text',
  Content: '</Content><Encrypt>AAAA</Encrypt> 内容 & <b>',
  MsgId: MSG_ID,
  ...more,
})

/** Numbers without quotes, a MsgId among them, as WeChat writes them. */
function write(form: Form, fields: Fields): string {
  if (form === 'json') {
    const field = ([name, value]: [string, string | number]): string =>
      `${JSON.stringify(name)}:${name === 'MsgId' ? value : JSON.stringify(value)}`
    return `{${Object.entries(fields).map(field).join(',')}}`
  }
  const field = ([name, value]: [string, string | number]): string =>
    `<${name}>${typeof value === 'number' || name === 'MsgId' ? value : `<![CDATA[${value}]]>`}</${name}>`
  return `<xml>${Object.entries(fields).map(field).join('')}</xml>`
}

export function makePush(fields: Fields, options: PushOptions = {}): Push {
  const { form = 'json', mode = 'plain', appid = APPID, token = TOKEN, aesKey = AES_KEY, nonce = '486452656' } = options
  const timestamp = String(options.timestamp ?? nowS())
  const message = options.message ?? write(form, fields)
  const query = { signature: getSignature(token, timestamp, nonce, ''), timestamp, nonce, openid: OPENID }
  const type = form === 'json' ? 'application/json' : 'text/xml'
  if (mode === 'plain') return { query: new URLSearchParams(query).toString(), body: Buffer.from(message), type }
  const encrypted = options.encrypted ?? encrypt(aesKey, message, appid)
  const plain = mode === 'compatible' ? fields : { ToUserName: 'gh_97417a04a28d' }
  return {
    query: new URLSearchParams({
      ...query,
      encrypt_type: 'aes',
      msg_signature: getSignature(token, timestamp, nonce, encrypted),
    }).toString(),
    body: Buffer.from(write(form, { ...plain, Encrypt: encrypted })),
    type,
  }
}

export interface Pushed {
  readonly status: number
  readonly type: string | null
  readonly text: string
}

export async function push(url: string, { query, body, type }: Push, appid = APPID): Promise<Pushed> {
  const headers = type === '' ? {} : { 'content-type': type }
  const answer = await fetch(`${url}/v1/apps/${appid}/push?${query}`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
  })
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
}

/** What `wxo_pushes_total` says. */
export async function countOf(at: { url: string; key: string }, app: string, result: string): Promise<number> {
  const headers = { authorization: `Bearer ${at.key}` }
  const text = await (await fetch(`${at.url}/metrics`, { headers })).text()
  return Number(new RegExp(`^wxo_pushes_total\\{app="${app}",result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface ServiceAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

export interface Service {
  readonly url: string
  readonly received: Received[]
  /** Undefined: it never answers. */
  answers: (received: Received) => ServiceAnswer | undefined
  close(): Promise<void>
}

async function startService(): Promise<Service> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const one = { method, path, headers, body: Buffer.concat(chunks) }
      received.push(one)
      const answer = service.answers(one)
      if (answer !== undefined) response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const service: Service = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answers: () => ({ status: 200, body: 'success' }),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return service
}

/** A Redis, a service, and an apps file for the gateway between them. */
export interface PushWorld {
  readonly world: World
  readonly service: Service
  /** Of a gateway: where its Redis and the apps file are. */
  readonly env: Record<string, string>
  /** A gateway that is open reads them at once. */
  writeApps(apps: readonly object[]): Promise<void>
  close(): Promise<void>
}

export async function startPushWorld(): Promise<PushWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'push-'))
  const appsPath = join(dir, 'apps.json')
  const [world, service] = [await startWorld(), await startService()]
  return {
    world,
    service,
    env: { REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, WECHAT_APPS_FILE: appsPath },
    async writeApps(apps) {
      await writeFile(appsPath, JSON.stringify(apps))
      process.emit('SIGHUP')
    },
    async close() {
      await service.close()
      await world.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
