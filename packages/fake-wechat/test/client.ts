// What the tests of the fake say to it, over real HTTP.
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '../src/index.ts'

export const credentials = { grant_type: 'client_credential', appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET }

export type Answer = { errcode?: number; errmsg?: string; access_token?: string; expires_in?: number }

export const classicToken = async (fake: FakeWechat, query: Record<string, string> = credentials): Promise<Answer> =>
  (await (await fetch(`${fake.url}/cgi-bin/token?${new URLSearchParams(query).toString()}`)).json()) as Answer

export const stableToken = async (fake: FakeWechat, body: object = {}): Promise<Answer> => {
  const init = { method: 'POST', body: JSON.stringify({ ...credentials, ...body }) }
  return (await (await fetch(`${fake.url}/cgi-bin/stable_token`, init)).json()) as Answer
}

export const text = (touser: string, content = 'hello') => ({ touser, msgtype: 'text', text: { content } })

export const post = async (fake: FakeWechat, path: string, body: unknown): Promise<Response> => {
  const payload = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(`${fake.url}${path}`, { method: 'POST', body: payload, headers: { 'content-type': 'application/json' } })
}

export const sendRaw = (fake: FakeWechat, token: string, body: unknown): Promise<Response> =>
  post(fake, `/cgi-bin/message/custom/send?access_token=${token}`, body)

export const send = async (fake: FakeWechat, token: string, body: unknown): Promise<Answer> =>
  (await (await sendRaw(fake, token, body)).json()) as Answer
