/** Can WeChat be reached from here, on the way that the workers take? */
import { isLoopback, type ProxySettings, proxyProblems, reachWechat as reach } from '@wechat-outbox/wechat'

export interface Reachability {
  readonly reachable: boolean
  /** Host and port: never a path or a query. */
  readonly host: string
  /** It is this machine: the fake WeChat of a sandbox, or a reverse proxy. */
  readonly isLocal: boolean
  readonly ms: number
  readonly status?: number
  readonly error?: string
}

const TIMEOUT_MS = 3000

export interface Way {
  readonly baseUrl: string
  readonly allowHttp: boolean
  readonly proxy: ProxySettings
}

export async function reachWechat({ baseUrl, allowHttp, proxy }: Way): Promise<Reachability> {
  const start = performance.now()
  const { host, hostname } = new URL(baseUrl)
  const where = { host, isLocal: isLoopback(hostname) }
  const [problem] = proxyProblems(proxy)
  if (problem !== undefined) return { reachable: false, ...where, ms: 0, error: problem }
  const reached = await reach({ baseUrl, allowHttp, proxy, timeoutMs: TIMEOUT_MS })
  const at = { ...where, ms: Math.round(performance.now() - start) }
  if ('status' in reached) return { reachable: true, ...at, status: reached.status }
  const isLate = reached.error.startsWith('timeout')
  return { reachable: false, ...at, error: isLate ? `no answer within ${TIMEOUT_MS} ms` : reached.error }
}
