// What the operator's page shows, against a real Redis with real dead letters in it, as a browser without JavaScript sees it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PAGE } from '../support/http-page.ts'
import {
  APPID,
  ask,
  basic,
  bury,
  EXPOSED,
  OPENID,
  openGateway,
  SECRET_TEXT,
  startWorld,
  type TestGateway,
  type World,
} from '../support/world.ts'

const HOSTILE = '<script>alert(1)</script>\u202e"\'&'
const user = basic('operator', 'only-for-these-tests')

let world: World
let masked: TestGateway
let open: TestGateway
let ids: string[]
beforeAll(async () => {
  world = await startWorld()
  const env = { REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID }
  const credentials = { DASHBOARD_USER: 'operator', DASHBOARD_PASSWORD: 'only-for-these-tests' }
  masked = await openGateway({ ...env, ...credentials, ...EXPOSED })
  open = await openGateway({ ...env, DASHBOARD_SHOW_CONTENT: 'true' })
  const text = {
    msgtype: 'text',
    text: { content: `${SECRET_TEXT} ${HOSTILE}` },
    metadata: { order: `A-1 ${HOSTILE}` },
  }
  const others = Array.from({ length: 60 }, (_, n) => ({
    touser: `oOther-${n}`,
    msgtype: 'text',
    text: { content: 'x' },
  }))
  ids = await bury(world, [text, ...others])
}, 60_000)
afterAll(async () => {
  await Promise.all([masked, open].map((gateway) => gateway?.close()))
  await world?.close()
})

const get = (path: string, headers: Record<string, string> = {}) =>
  ask(masked.port, `GET ${path}`, { headers: { ...user, ...headers } })
const openly = (path: string, headers: Record<string, string> = {}) => ask(open.port, `GET ${path}`, { headers })

it('shows counts with the reason, the hours, and the letters, fifty on a page', async () => {
  const { status, text, headers } = await get(PAGE)
  expect(status).toBe(200)
  expect(headers['content-security-policy']).toContain("default-src 'none';script-src 'self';style-src 'self'")
  expect(headers['content-security-policy']).not.toContain('unsafe')
  expect(headers['cache-control']).toBe('no-store')
  expect(text).toContain('The time to reply is over.')
  expect(text).toMatch(/aria-label="Dead letters by the hour of their death/)
  expect(text.match(/name="id"/g)).toHaveLength(50)
  expect(text).not.toMatch(/ style="|<style|<script>|javascript:| on\w+="/)
  const [, next = ''] = /rel="next" href="([^"]*)"/.exec(text) ?? []
  const second = await get(next.replaceAll('&amp;', '&'))
  expect(second.text.match(/name="id"/g)).toHaveLength(11)
  expect(second.text).not.toContain('rel="next"')
})

it.each([
  ['zh-CN,zh;q=0.9,en;q=0.8', '', 'zh-CN', '回复时间超过限制'],
  ['de,en;q=0.5,zh;q=0.1', '', 'en', 'The time to reply'],
  ['de', '', 'en', 'The time to reply'],
  ['zh', '?lang=en', 'en', 'The time to reply'],
  ['en', '?lang=zh', 'zh-CN', '回复时间超过限制'],
])('speaks the language that %s%s asks for', async (accepted, query, lang, words) => {
  const { text } = await get(PAGE + query, { 'accept-language': accepted })
  expect(text).toContain(`<html lang="${lang}">`)
  expect(text).toContain(words)
})

describe('a search', () => {
  it('leads to the letters of a person, and keeps the rest of the filter', async () => {
    const { status, headers } = await get(`${PAGE}?app=${APPID}&errcode=45015&q=${OPENID}&since=&until=&lang=zh`)
    expect(status).toBe(303)
    expect(headers.location).toBe(`${PAGE}?app=${APPID}&errcode=45015&touser=${OPENID}&lang=zh`)
    const { text } = await get(headers.location ?? '')
    expect(text.match(/name="id"/g)).toHaveLength(1)
    expect(text).toContain('1 条死信')
  })

  it('leads to a letter by its own id and by that of its message', async () => {
    const [id = ''] = ids
    const byLetter = await get(`${PAGE}?q=${id}`)
    expect(byLetter.headers.location).toBe(`${PAGE}/letters/${id}`)
    const byMessage = await get(`${PAGE}?q=${id.replace('d-', 'm-')}`)
    const { headers } = await get(byMessage.headers.location ?? '')
    expect(headers.location).toBe(`${PAGE}/letters/${id}?app=${APPID}`)
  })

  it('says that nothing is found', async () => {
    expect((await get(`${PAGE}?touser=oNobody`)).text).toContain('No dead letter is found.')
    const gone = await get(`${PAGE}/letters/d-neverWas`)
    expect(gone).toMatchObject({ status: 404 })
    expect(gone.text).toContain('Nothing is known of d-neverWas')
  })

  it('tells what has become of a message that is not dead', async () => {
    const { id } = await world.outbox.send({
      touser: 'oLater',
      msgtype: 'text',
      text: { content: 'x' },
      sendAt: Date.now() + 9e6,
    })
    expect((await get(`${PAGE}/letters/${id}`)).text).toContain(`Message ${id}: scheduled.`)
  })

  it('finds by time, and by a reason that may stand beside a code', async () => {
    const count = async (query: string) => (await get(`${PAGE}?${query}`)).text.match(/name="id"/g)?.length ?? 0
    expect(await count('since=2026-01-01T00:00')).toBe(50)
    expect(await count('until=2026-01-01T00:00:30')).toBe(0)
    expect(await count('errcode=reply-window-closed')).toBe(50)
    expect(await count('errcode=expired')).toBe(0)
    // The other codes stay in sight, whichever is chosen.
    expect((await get(`${PAGE}?errcode=40003`)).text).toMatch(/<th scope="row"><a href="[^"]*errcode=45015">45015<\/a>/)
  })
})

describe('what was written to a person', () => {
  it('is hidden, and the openid masked, as on the dashboard', async () => {
    for (const path of [PAGE, `${PAGE}/letters/${ids[0]}`]) {
      const { text } = await get(path)
      expect(text).not.toContain(SECRET_TEXT)
      expect(text).not.toContain(OPENID)
    }
    const { text } = await get(`${PAGE}/letters/${ids[0]}`)
    expect(text).toContain('oABC…Hijk')
    expect(text).toContain('The content is hidden.')
    // The producer's own, which log lines repeat as well.
    expect(text).toContain('A-1')
  })

  it('is shown where that is allowed, with nothing in it that a browser obeys', async () => {
    const { text } = await openly(`${PAGE}/letters/${ids[0]}`)
    expect(text).toContain(SECRET_TEXT)
    expect(text).toContain(OPENID)
    expect(text).not.toContain('<script>alert')
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;\\u202e&quot;&#39;&amp;')
    expect(text).not.toContain('\u202e')
  })
})

it('a letter says what a replay comes to, as the preflight does', async () => {
  const query = `action=replay&of=ticked&id=${ids[0]}`
  for (const [lang, name, words] of [
    ['en', 'A replay', 'only if the user has written again since'],
    ['zh', '重发', '仅当用户此后再次发过消息'],
  ] as const) {
    const letter = await get(`${PAGE}/letters/${ids[0]}?lang=${lang}`)
    expect(letter.text).toContain(`<dt>${name}</dt><dd>${words}</dd>`)
    expect((await get(`${PAGE}/preflight?${query}&lang=${lang}`)).text).toContain(`<td>${words}</td>`)
  }
})

describe('a bad request', () => {
  it.each([
    ['?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z', 400, 'since'],
    ['?errcode=no-such-reason', 400, 'errcode'],
    ['?errcode=1&errcode=2', 400, 'errcode'],
    ['?touser=a%20b', 400, 'touser'],
    ['?tousr=o1', 400, 'tousr'],
    ['?cursor=nonsense', 400, 'cursor'],
    ['?lang=xx', 400, 'lang'],
    ['?app=wx', 400, 'app'],
    ['?app=wxffffffffffffffff', 404, 'No worker has ever served this app'],
    ['/preflight?action=replay&of=ticked', 400, 'tick at least one letter'],
    ['/preflight?action=burn&of=found', 400, 'action'],
    ['?window=shut', 400, 'window'],
    ['/preflight?action=replay&of=found&perSecond=0', 400, 'perSecond'],
    ['/preflight?action=replay&of=ticked&id=m-1', 400, 'id'],
    ['/letters/nothing', 404, 'There is no such dead letter.'],
    ['/tasks/r-none', 404, 'There is no such task'],
    ['/nowhere', 404, 'There is nothing here.'],
  ])('%s is answered by a page that says why', async (path, status, why) => {
    const answer = await get(PAGE + path)
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.text).toContain(why)
    expect(answer.text).toContain('<main')
  })
})

it('names every field of a bad request in Chinese, where that is the language', async () => {
  const fields = 'app lang errcode touser window since until action of id perSecond'.split(' ')
  const query = fields.map((field) => `${field}=${encodeURIComponent(field === 'lang' ? 'zh' : '?')}`).join('&')
  const { status, text } = await get(`${PAGE}/preflight?${query}&tousr=o1`)
  expect(status).toBe(400)
  const items = [...text.matchAll(/<li><code>(\w+)<\/code> ([^<]*)<\/li>/g)]
  expect(items.map(([, field]) => field)).toEqual(expect.arrayContaining(['errcode', 'since', 'perSecond', 'tousr']))
  for (const [, , sentence = ''] of items) expect(sentence).toMatch(/^(?:必须|不是|只能|无法)/)
})

it('is behind the sign-in of the dashboard, and closed where that is', async () => {
  for (const path of [PAGE, `${PAGE}/`, `${PAGE}/nowhere`, `${PAGE}/letters/${ids[0]}`, `${PAGE}/tasks`]) {
    const refused = await ask(masked.port, `GET ${path}`)
    expect(refused, path).toMatchObject({ status: 401 })
    expect(refused.headers['www-authenticate']).toContain('Basic')
    expect(refused.headers['content-security-policy']).toContain("default-src 'none'")
    expect(refused.text).not.toContain(APPID)
  }
  const closed = await openGateway({ REDIS_URL: world.redis.url, ...EXPOSED })
  for (const path of [PAGE, `${PAGE}/tasks`])
    expect(await ask(closed.port, `GET ${path}`)).toMatchObject({ status: 403 })
  await closed.close()
})

it('is led to from /, as the queues and the API are', async () => {
  const { status, text } = await ask(masked.port, 'GET /', { headers: { 'accept-language': 'zh' } })
  expect(status).toBe(200)
  for (const path of [PAGE, '/dashboard', '/docs']) expect(text).toContain(`href="${path}"`)
  for (const path of ['/assets/page.css', '/assets/htmx.min.js', '/assets/icon.svg'])
    expect(await ask(masked.port, `GET ${path}`), path).toMatchObject({ status: 200 })
})
