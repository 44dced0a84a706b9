/** Can WeChat be reached from here? Any HTTP answer says yes: no token is sent, so the answer need not be a success. */
import { parseBaseUrl } from './base-url.ts'
import type { ProxySettings } from './dispatcher.ts'
import { createHttp } from './http.ts'

export interface Reach {
  readonly baseUrl: string
  readonly allowHttp: boolean
  readonly timeoutMs: number
  readonly proxy?: ProxySettings | undefined
}

export type Reached = { readonly status: number } | { readonly error: string }

/** Throws an Error for a base URL that is none. */
export async function reachWechat({ baseUrl, allowHttp, timeoutMs, proxy }: Reach): Promise<Reached> {
  const { origin, prefix } = parseBaseUrl(baseUrl, { allowHttp })
  const limits = { connections: 1, timeoutMs, connectTimeoutMs: timeoutMs, answerBytesMax: 1_048_576 }
  const http = createHttp({ origin, ...limits, proxy })
  try {
    const exchanged = await http.exchange({ method: 'GET', path: `${prefix}/` })
    if (exchanged.status !== undefined) return { status: exchanged.status }
    return { error: exchanged.kind === 'broken' ? exchanged.detail : 'no status' }
  } finally {
    await http.close(0)
  }
}
