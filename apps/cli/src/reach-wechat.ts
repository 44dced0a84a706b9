/** Can WeChat be reached from here? Any HTTP answer says yes: no token is sent, so none is expected to please. */

export interface Reachability {
  readonly reachable: boolean
  /** Host and port: never a path or a query. */
  readonly host: string
  readonly ms: number
  readonly status?: number
  readonly error?: string
}

const TIMEOUT_MS = 3000

export async function reachWechat(baseUrl: string): Promise<Reachability> {
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/`)
  const start = performance.now()
  const passed = (): number => Math.round(performance.now() - start)
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
    const ms = passed()
    await answer.body?.cancel()
    return { reachable: true, host: url.host, ms, status: answer.status }
  } catch (error) {
    return { reachable: false, host: url.host, ms: passed(), error: reasonOf(error) }
  }
}

/** fetch hides the reason in `cause`; its code says enough and names nothing. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS} ms`
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'the connection failed'
}
