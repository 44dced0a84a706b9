// What the operator's page costs Redis, counted by Redis itself, with a hundred thousand dead letters: what it costs with a few.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PAGE } from '../support/http-page.ts'
import { APPID, ask, openGateway, startWorld, type TestGateway, type World } from '../support/world.ts'

const LETTERS = 100_000
/** Redis serves nobody else meanwhile. */
const BATCH = 5000
/** Three days of deaths, and one letter of a code that nobody knows. */
const SPAN_MS = 72 * 3_600_000

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  await write()
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID })
}, 60_000)
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

/** Letters as a worker leaves them, thousands by one script, so that they take seconds. */
async function write(): Promise<void> {
  const letter = (errcode: number, touser: string) =>
    JSON.stringify({
      v: 1,
      messageId: 'm-1',
      message: { v: 1, touser, msgtype: 'text', text: { content: 'hello' } },
      reason: { errcode, name: 'reply-window-closed', errmsg: '', meaning: { en: '', zh: '' }, source: '' },
      attempts: [],
      acceptedAt: Date.now() - SPAN_MS,
      deadAt: Date.now(),
    })
  const lua = `
    local prefix, count, from, span = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    for n = tonumber(ARGV[6]), ARGV[6] + ARGV[7] - 1 do
      local id = 'd-' .. string.format('%020d', n)
      local kind = n == 0 and { '99999', 'oRare', ARGV[5] } or { '45015', 'oBusy', ARGV[4] }
      local deadAt = from + math.floor(span * n / count)
      redis.call('HSET', prefix .. ':dead-letter:' .. id, 'name', 'text', 'data', kind[3], 'timestamp', from)
      for _, index in ipairs({
        'dead:time', 'dead:errcode:' .. kind[1], 'dead:to:' .. kind[2], 'dead:to:' .. kind[2] .. ':errcode:' .. kind[1]
      }) do redis.call('ZADD', prefix .. ':' .. index, deadAt, id) end
    end`
  const args = [LETTERS, Date.now() - SPAN_MS, SPAN_MS, letter(45015, 'oBusy'), letter(99999, 'oRare')]
  for (let n = 0; n < LETTERS; n += BATCH) await world.store.redis.eval(lua, 1, `{wxo:${APPID}}`, ...args, n, BATCH)
}

/** Commands, those inside scripts included. */
async function costOf(path: string): Promise<{ calls: number; text: string }> {
  const { redis } = world.store
  await redis.config('RESETSTAT')
  const { status, text } = await ask(gateway.port, `GET ${path}`)
  expect(status).toBe(200)
  const stats = await redis.info('commandstats')
  const counted = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].filter(
    ([, name = '']) => !/^(?:info|config)/.test(name),
  )
  return { text, calls: counted.reduce((sum, [, , calls]) => sum + Number(calls), 0) }
}

/** A page of letters, counts of every reason, of the chosen one, and of 73 hours. */
const PAGE_CALLS_MAX = 350
/** Letters looked at for one page where no index tells, and what the page costs beside. */
const LOOKED_CALLS_MAX = 2050 + PAGE_CALLS_MAX

it.each([
  ['', PAGE_CALLS_MAX],
  ['?errcode=45015', PAGE_CALLS_MAX],
  ['?touser=oBusy', PAGE_CALLS_MAX],
  ['?touser=oBusy&errcode=45015', PAGE_CALLS_MAX],
  ['?touser=oRare', PAGE_CALLS_MAX],
  ['?errcode=99999', PAGE_CALLS_MAX],
  ['?until=2020-01-01T00:00', PAGE_CALLS_MAX],
  ['/preflight?action=replay&of=found', PAGE_CALLS_MAX],
  ['/preflight?action=discard&of=found&errcode=45015&touser=oBusy', PAGE_CALLS_MAX],
  ['/letters/d-00000000000000000007', PAGE_CALLS_MAX],
  ['/tasks', PAGE_CALLS_MAX],
  ['?errcode=expired', LOOKED_CALLS_MAX],
  ['?window=open', LOOKED_CALLS_MAX],
])('%s takes what a page takes', async (path, callsMax) => {
  const { calls, text } = await costOf(PAGE + path)
  expect(calls).toBeLessThan(callsMax)
  if (path === '') expect(text).toContain('100,000 dead letters')
})

it('looks at the reply windows of the first thousand letters before a replay, where the app has a ledger', async () => {
  await world.outbox.userActed({ touser: 'oBusy', action: 'message' })
  const { calls, text } = await costOf(`${PAGE}/preflight?action=replay&of=found`)
  expect(calls).toBeLessThan(LOOKED_CALLS_MAX)
  expect(text).toContain(
    'The reply windows now, of 1,000 that were looked at: 1,000 open, 0 closed or used up, 0 unknown.',
  )
})
