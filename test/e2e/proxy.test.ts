/** A machine that may leave only through a forward proxy: every process takes that way, and none in the sandbox. */
import { afterEach, expect, it, vi } from 'vitest'
import { forwardProxy } from '../../packages/wechat/test/support/forward-proxy.ts'
import { APP, type System, startSystem, text } from './support/system.ts'

const KEY = 'an-api-key-for-the-proxy-tests-1'
let system: System | undefined
afterEach(() => system?.close())

it('worker, gateway and doctor reach WeChat through it, and messages keep their order', async () => {
  const authorization = `Basic ${Buffer.from('me:s3cr3t').toString('base64')}`
  const proxy = await forwardProxy({ authorization })
  const url = proxy.url.replace('//', '//me:s3cr3t@')
  // One of the names in lower case, as curl has it.
  const running = (system = await startSystem({ env: { http_proxy: url, NO_PROXY: 'redis.internal' } }))
  const contents = Array.from({ length: 60 }, (_, n) => `message ${n}`)
  await running.outbox.sendMany(contents.map((content, n) => text(`o-${n % 3}`, content)))
  const accepted = async () => (await running.fake.sends()).filter((send) => send.accepted)
  await vi.waitFor(async () => expect(await accepted()).toHaveLength(contents.length), 20_000)
  const lanes = Object.groupBy(await accepted(), ({ touser }) => touser ?? '')
  for (const lane of Object.values(lanes)) {
    const numbers = (lane ?? []).map(({ body }) => Number((body as ReturnType<typeof text>).text.content.slice(8)))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  }
  const send = `POST ${running.fake.url}/cgi-bin/message/custom/send`
  expect(proxy.asked.filter((asked) => asked === send)).toHaveLength((await running.fake.sends()).length)
  expect(proxy.asked).toContain(`POST ${running.fake.url}/cgi-bin/stable_token`)

  const gateway = await running.gateway({ GATEWAY_API_KEYS: KEY })
  const query = new URLSearchParams({ grant_type: 'client_credential', appid: APP, secret: KEY }).toString()
  const { access_token: token } = (await (await fetch(`${gateway}/cgi-bin/token?${query}`)).json()) as {
    access_token: string
  }
  const init = { method: 'POST', body: JSON.stringify({ touser: 'o-1', command: 'Typing' }) }
  const typed = await fetch(`${gateway}/cgi-bin/message/custom/typing?access_token=${token}`, init)
  expect(await typed.json()).toMatchObject({ errcode: 0 })
  expect(proxy.asked).toContain(`POST ${running.fake.url}/cgi-bin/message/custom/typing`)

  await running.wxo('doctor')
  expect(proxy.asked).toContain(`GET ${running.fake.url}/`)
  expect(running.output()).not.toContain('s3cr3t')
}, 60_000)

it('is not used for what NO_PROXY names, and one that is none is told at the start', async () => {
  const proxy = await forwardProxy()
  const running = (system = await startSystem({ env: { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' } }))
  const { id } = await running.outbox.send(text('o-direct', 'direct'))
  await vi.waitFor(async () => expect((await running.outbox.status(id))?.status).toBe('delivered'), 20_000)
  expect(proxy.asked).toEqual([])
  await expect(running.worker({ HTTP_PROXY: 'proxy.internal:s3cr3t' })).rejects.toThrow()
  expect(running.output()).toContain('HTTP_PROXY must be an http or https URL')
  expect(running.output()).not.toContain('s3cr3t')
}, 60_000)
