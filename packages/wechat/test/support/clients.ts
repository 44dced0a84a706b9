/** Clients of a test, closed when it ends, and what they send. */
import { onTestFinished } from 'vitest'
import { createWechatClient, type SendCall, type WechatClient, type WechatClientOptions } from '../../src/index.ts'

/** Characters that a URL has to encode, so that both spellings can be looked for. */
export const TOKEN = '61_tOken+Value/with=signs-0123456789'
export const SECRET = 'a1b2c3d4e5f60718293a4b5c6d7e8f90'
export const APPID = 'wx1234567890abcdef'

export const call: SendCall = {
  token: { parameter: 'access_token', value: TOKEN },
  body: { touser: 'oOpenid', msgtype: 'text', text: { content: '您好 👋' } },
}

export function openClient(baseUrl: string, options: Partial<WechatClientOptions> = {}): WechatClient {
  const client = createWechatClient({ baseUrl, connections: 4, timeoutMs: 5000, ...options })
  onTestFinished(() => client.close())
  return client
}
