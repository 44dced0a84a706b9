/** Pushes that are WeChat’s but for one thing, and what a gateway must do with each: refuse it, cheaply, and remember and tell nothing of it. */
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import fc from 'fast-check'
import { expect } from 'vitest'
import { AES_KEY, makePush, nowS, type Push, push, TOKEN, textFields } from './push.ts'
import { APPID, openGateway, startWorld } from './world.ts'

/** Stands in every message, and must stand in no log. */
const MARK = 'GEHEIM-4711'
const AT_ONCE = 16

const fields = textFields({ FromUserName: 'o-malformed', Content: MARK })
const secure = fc.constantFrom('json', 'xml').map((form) => ({ form, mode: 'secure' }) as const)
/** What no parser may take for a message: neither `{` nor `<xml>` at its beginning. */
const noise = fc.string({ maxLength: 200 }).filter((text) => !/^\s*[{<]/.test(text))

const cut = fc.tuple(secure, fc.double({ min: 0, max: 0.6, noNaN: true })).map(([options, share]): Push => {
  const made = makePush(fields, options)
  return { ...made, body: made.body.subarray(0, made.body.length * share) }
})

const flipped = fc.tuple(secure, fc.nat()).map(([options, at]): Push => {
  const made = makePush(fields, options)
  const text = String(made.body)
  const [encrypted = ''] = /[A-Za-z0-9+/]{100,}/.exec(text) ?? []
  const index = text.indexOf(encrypted) + (at % encrypted.length)
  const other = text[index] === 'A' ? 'B' : 'A'
  return { ...made, body: Buffer.from(text.slice(0, index) + other + text.slice(index + 1)) }
})

const PARAMETERS = ['timestamp', 'nonce', 'msg_signature'] as const
const asked = fc
  .tuple(
    secure,
    fc.constantFrom(...PARAMETERS),
    fc.constantFrom('removed', 'doubled', 'other'),
    fc.string({ maxLength: 300 }),
  )
  .map(([options, name, how, other]): Push => {
    const made = makePush(fields, options)
    const query = new URLSearchParams(made.query)
    if (how === 'removed') query.delete(name)
    else if (how === 'doubled') query.append(name, query.get(name) ?? '')
    else query.set(name, `${other}x`)
    return { ...made, query: query.toString() }
  })

const noMessage = fc.tuple(secure, noise).map(([options, message]) => makePush(fields, { ...options, message }))

const noCipher = fc
  .tuple(secure, fc.integer({ min: 0, max: 20 }), fc.boolean())
  .map(([options, blocks, isWhole]): Push => {
    const bytes = randomBytes(blocks * 16 + (isWhole ? 0 : 7))
    return makePush(fields, { ...options, encrypted: bytes.toString('base64') })
  })

const old = fc
  .tuple(secure, fc.integer({ min: 400, max: 2_000_000 }), fc.boolean())
  .map(([options, off, isPast]) => makePush(fields, { ...options, timestamp: nowS() + (isPast ? -off : off) }))

const foreign = fc
  .tuple(
    secure,
    fc.constantFrom({ token: 'another1' }, { aesKey: AES_KEY.toLowerCase() }, { appid: 'wx00000000000000ff' }),
  )
  .map(([options, other]) => makePush(fields, { ...options, ...other }))

const bomb = fc
  .tuple(
    fc.constantFrom(
      '<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]><xml><MsgType>&a;</MsgType></xml>',
      '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><xml/>',
      `<xml>${'<a>'.repeat(3000)}`,
      `<xml>${'<a/>'.repeat(5000)}</xml>`,
      `<xml>${'<!--'.repeat(3000)}`,
      `<xml>${'<?a '.repeat(3000)}`,
      `{"a":${'['.repeat(10_000)}`,
      `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`,
    ),
    secure,
  )
  .map(([message, options]) => makePush(fields, { ...options, message }))

const malformed = fc.oneof(cut, flipped, asked, noMessage, noCipher, old, foreign, bomb)

/** Pushes so many, and looks at what came of all of them. */
export async function refuseMalformed(numRuns: number, seed: number): Promise<void> {
  const world = await startWorld()
  const gateway = await openGateway({
    REDIS_URL: world.redis.url,
    WECHAT_APP_ID: APPID,
    PUSH_TOKEN: TOKEN,
    PUSH_AES_KEY: AES_KEY,
  })
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  try {
    const statuses = new Map<number, number>()
    const pushes = drawn(numRuns, seed)
    const one = async (): Promise<void> => {
      for (const made of pushes) {
        const status = await statusOf(gateway.port, made, agent)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    expect(new Set(statuses.keys())).toEqual(new Set([400, 403]))
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    expect(metrics).toContain(`wxo_pushes_total{app="${APPID}",result="refused"} ${numRuns}\n`)
    expect(await world.store.redis.keys('*window*')).toEqual([])
    const lines = gateway.lines().filter(({ event }) => event === 'push.refused')
    // One for each reason in ten seconds, and not one for each push.
    expect(lines.length).toBeLessThan(numRuns / 10)
    for (const secret of [MARK, TOKEN, AES_KEY, 'o-malformed']) expect(gateway.text()).not.toContain(secret)
    expect(await push(gateway.url, makePush(fields, { mode: 'secure' }))).toMatchObject({
      status: 200,
      text: 'success',
    })
  } finally {
    agent.destroy()
    await gateway.close()
    await world.close()
  }
}

/** A third of what `fetch` costs. */
function statusOf(port: number, { query, body, type }: Push, agent: Agent): Promise<number> {
  const headers = { 'content-type': type, 'content-length': body.length }
  const path = `/v1/apps/${APPID}/push?${query}`
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, method: 'POST', path, headers, agent }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

/** One after the other, so that the time in each is the time at which it is sent. */
function* drawn(numRuns: number, seed: number): Iterable<Push> {
  const size = 500
  for (let from = 0; from < numRuns; from += size) {
    yield* fc.sample(malformed, { numRuns: Math.min(size, numRuns - from), seed: seed + from })
  }
}
