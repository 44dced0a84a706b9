/** Calls of `/v1` as a plain HTTP client makes them. */
import { APPID } from './world.ts'

export const MESSAGES = `/v1/apps/${APPID}/messages`
export const LETTERS = `/v1/apps/${APPID}/dead-letters`

export interface Called {
  readonly status: number
  readonly headers: Headers
  // Whatever the gateway says is looked at by matchers.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

/** `POST /path`, with a body that is sent as JSON; text is sent as it is. */
export async function call(
  url: string,
  line: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Called> {
  const [method = 'GET', path = '/'] = line.split(' ')
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
  const answer = await fetch(url + path, {
    method,
    headers: { ...type, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
}

export const textTo = (touser: string, content = 'hello') => ({ touser, msgtype: 'text', text: { content } })

/** The paths that a refusal names. */
export const pathsOf = ({ body }: Called): string[] =>
  ((body.errors ?? []) as { path: string }[]).map(({ path }) => path)
