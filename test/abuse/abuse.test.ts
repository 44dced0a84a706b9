// Ten thousand requests that mean no good, against a real gateway that others could reach. It may refuse them in any way it
// likes; it may not fail, take what it must refuse, repeat what it was told, or keep any of it in memory.
import { createHash } from 'node:crypto'
import { APPS_KEY, createAccessTokens, lazyStore } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRandom, type Random } from '../chaos/support/random.ts'
import { APP, MARK } from './support/oddities.ts'
import { type Abuse, drawAbuse, type Keys, OTHER_APP } from './support/requests.ts'
import { stall, type Talk, talk } from './support/talk.ts'
import { apiKeys, BASIC, PASSWORD, PUSH_TOKEN, startTarget, type Target } from './support/target.ts'

const SEED = Number(process.env['ABUSE_SEED'] ?? 20_261)
const REQUESTS = 10_000
const WARM_UP = 2000
const AT_ONCE = 16
/** What code that is compiled, caches and counters may take after the warm-up. */
const GROWTH_BYTES_MAX = 8 * 1024 * 1024

let keys: Keys
let target: Target
let port: number
beforeAll(async () => {
  target = await startTarget()
  port = target.port
  keys = { ...apiKeys, basic: BASIC, pushToken: PUSH_TOKEN, ...(await tokensOfYore()) }
}, 90_000)
afterAll(() => target?.stop())

const authorized = { authorization: `Bearer ${apiKeys.all}` }

async function askWechatWay(path: string, body?: object): Promise<Record<string, unknown>> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  return (await fetch(`http://127.0.0.1:${port}/cgi-bin/${path}`, init)).json() as Promise<Record<string, unknown>>
}

/** A token that is good, as a message sent with it shows. */
async function goodToken(appid: string, secret: string): Promise<string> {
  const query = new URLSearchParams({ grant_type: 'client_credential', appid, secret }).toString()
  const token = String((await askWechatWay(`token?${query}`))['access_token'])
  const message = { touser: 'o-before', msgtype: 'text', text: { content: 'while it was good' } }
  expect(await askWechatWay(`message/custom/send?access_token=${token}`, message)).toMatchObject({ errcode: 0 })
  return token
}

/** What Redis does to a token after two hours, what an operator does, and what a caller might try. */
async function tokensOfYore(): Promise<Pick<Keys, 'expiredToken' | 'revokedToken' | 'movedToken'>> {
  const lazy = lazyStore(target.redis.url)
  try {
    const store = await lazy.open()
    await store.redis.sadd(APPS_KEY, OTHER_APP)
    const access = `{wxo:${APP}}:access:`
    const expiredToken = await goodToken(APP, apiKeys.all)
    const digest = createHash('sha256').update(expiredToken).digest('base64url')
    expect(await store.redis.pexpire(access + digest, 1)).toBe(1)
    const revokedToken = await goodToken(APP, apiKeys.all)
    const [holder = ''] = (await store.redis.keys(`${access}of:*`)).map((key) => key.slice(`${access}of:`.length))
    expect(await createAccessTokens(store, APP).revoke(holder)).toBeGreaterThan(0)
    const movedToken = (await goodToken(OTHER_APP, apiKeys.other)).replace(OTHER_APP.slice(2), APP.slice(2))
    return { expiredToken, revokedToken, movedToken }
  } finally {
    await lazy.close()
  }
}

async function heapBytes(): Promise<number> {
  process.kill(target.gateway.pid, 'SIGUSR2')
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: authorized })).text()
  return Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(text)?.[1])
}

/** Why an answer is not acceptable, or null. */
function complaint({ mustFail }: Abuse, { status, text }: Talk): string | null {
  if (status === undefined) return null
  if (status >= 500 && status !== 503) return `answered ${status}`
  if (/\.[cm]?[jt]s:\d+|node_modules|redis:\/\/|ECONN/.test(text)) return 'tells of its inside'
  if (text.includes(MARK) || Object.values(keys).some((key) => text.includes(key))) return 'repeats what it was told'
  const isTaken = status < 300 && !/"errcode":\s*-?[1-9]/.test(text)
  return mustFail && isTaken ? `took it, with ${status}` : null
}

async function abuse(random: Random, count: number): Promise<{ complaints: string[]; statuses: Map<string, number> }> {
  const complaints: string[] = []
  const statuses = new Map<string, number>()
  let left = count
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const drawn = drawAbuse(random, keys)
      const answer = await talk(port, drawn)
      const wrong = complaint(drawn, answer)
      const key = `${drawn.what}: ${answer.status ?? 'closed'}`
      statuses.set(key, (statuses.get(key) ?? 0) + 1)
      if (wrong !== null) complaints.push(`${drawn.what} ${wrong}: ${String(drawn.bytes[0]).slice(0, 300)}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return { complaints, statuses }
}

describe(`abuse with the seed ${SEED}`, () => {
  it('is refused without a failure, a leak or a word too many', async () => {
    const random = createRandom(SEED)
    const partial = `POST /v1/apps/${APP}/messages HTTP/1.1\r\nhost: 127.0.0.1\r\n`
    const slow = [
      'G',
      partial,
      `${partial}content-type: application/json\r\n`,
      `${partial}${'x-pad: y\r\n'.repeat(50)}`,
      `${partial}authorization: Bearer ${keys.all}\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"touser"`,
      `${partial}authorization: Bearer ${keys.all}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"tou`,
    ].flatMap((text) => Array.from({ length: 10 }, () => stall(port, Buffer.from(text))))

    const warm = await abuse(random, WARM_UP)
    const before = await heapBytes()
    const { complaints, statuses } = await abuse(random, REQUESTS - WARM_UP)
    expect([...warm.complaints, ...complaints]).toEqual([])
    // Otherwise it would be about something else than the gateway's answers.
    expect(statuses.size).toBeGreaterThan(20)

    await Promise.all(slow.map(({ closed }) => closed))
    await vi.waitFor(async () => expect((await heapBytes()) - before).toBeLessThan(GROWTH_BYTES_MAX), {
      timeout: 20_000,
      interval: 500,
    })
    const answers = await Promise.all(
      ['/readyz', '/metrics'].map((path) => fetch(`http://127.0.0.1:${port}${path}`, { headers: authorized })),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    const log = target.gateway.stdout() + target.gateway.stderr()
    for (const secret of [MARK, PASSWORD, ...Object.values(keys)]) expect(log).not.toContain(secret)
    expect(await target.gateway.stop()).toEqual({ code: 0, signal: null })
  }, 180_000)
})
