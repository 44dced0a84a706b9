/**
 * The dashboard as a person meets it: a real Chromium, the gateway, a worker process, and the fake WeChat, from the dead
 * letter in the list to the replayed message at WeChat.
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeWechat, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { pauseApp, resumeApp } from '@wechat-outbox/outbox/engine'
import { type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APPID, OPENID, openGateway, SECRET_TEXT, startWorld, type TestGateway, type World } from '../support/world.ts'
import { launchChromium } from './chromium.ts'

const APP_SECRET = 'browser0test0secret0of0no0value0'
const WORKER = join(import.meta.dirname, '../../../worker/src/main.ts')

let world: World
let wechat: FakeWechat
let worker: StartedProcess
let gateway: TestGateway
let browser: Browser
let page: Page
let pictures: string
const asked: string[] = []
const complaints: string[] = []

beforeAll(async () => {
  pictures = await mkdtemp(join(tmpdir(), 'dashboard-pictures-'))
  console.info(`screenshots: ${pictures}`)
  world = await startWorld()
  wechat = await startFakeWechat({ apps: [{ appid: APPID, secret: APP_SECRET }], windows: 'strict' })
  worker = startProcess({
    args: [WORKER],
    env: {
      REDIS_URL: world.redis.url,
      WECHAT_APP_ID: APPID,
      WECHAT_APP_SECRET: APP_SECRET,
      WECHAT_API_BASE_URL: wechat.url,
      WORKER_PORT: '0',
    },
  })
  const credentials = { DASHBOARD_USER: 'operator', DASHBOARD_PASSWORD: 'correct horse' }
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, ...credentials })
  browser = await launchChromium()
  const context = await browser.newContext({
    httpCredentials: { username: 'operator', password: 'correct horse' },
    viewport: { width: 1400, height: 1000 },
  })
  page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('request', (request) => asked.push(request.url()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
}, 60_000)

afterAll(async () => {
  await browser?.close()
  await gateway?.close()
  await worker?.stop()
  await wechat?.close()
  await world?.close()
}, 30_000)

const photograph = (name: string): Promise<Buffer> => page.screenshot({ path: join(pictures, `${name}.png`) })

it('shows a dead letter with its reason, and Retry sends it again', async () => {
  // Nobody has written to the app, so its reply window is closed and the message dies.
  wechat.control.user(OPENID, 'known')
  const { id } = await world.outbox.send({ touser: OPENID, msgtype: 'text', text: { content: SECRET_TEXT } })
  await vi.waitFor(async () => expect((await world.outbox.status(id))?.status).toBe('dead'), { timeout: 20_000 })

  await page.goto(`${gateway.url}/dashboard`)
  await page
    .getByRole('link', { name: `${APPID} send` })
    .first()
    .waitFor()
  const dead = page.getByRole('link', { name: `${APPID} dead letters` }).first()
  await dead.waitFor()
  await page.locator("[class*='headerControls-'] button").click()
  await page.getByRole('menuitem', { name: 'Sort by' }).waitFor()
  await photograph('1-overview')
  // The worker is there, although Bull Board cannot see it.
  expect(await page.locator('body').innerText()).not.toMatch(/no workers/i)
  for (const name of [/^Pause all/, /^Retry/])
    expect(await page.getByRole('menuitem', { name }).isVisible(), String(name)).toBe(false)
  expect(await page.locator("[class*='headerContext-'] button[aria-haspopup='menu']:visible").count()).toBe(0)
  await page.keyboard.press('Escape')

  await dead.click()
  await page.getByRole('link', { name: /^failed/i }).click()
  await page.getByText('text · 45015').first().waitFor()
  await photograph('2-failed')
  expect(await page.locator('body').innerText()).toContain('reply-window-closed')
  await page.getByRole('tab', { name: 'Data' }).click()
  await page.getByText('oABC…Hijk').first().waitFor()
  await photograph('3-data')
  expect(await page.locator('body').innerText()).not.toContain(SECRET_TEXT)
  expect(await page.locator("[class*='jobActions-'] > li:visible").count()).toBe(1)
  expect(await page.locator("[class*='trailing-'] > button:visible").count()).toBe(0)
  // What is done to all of them at once has a page of its own, and the queue says where.
  expect(await page.locator("[class*='queueActions-'] > li:visible").count()).toBe(0)
  expect(await page.locator("[class*='queueTitle-'] > p").innerText()).toContain('/dead-letters')
  expect(await page.locator('body').innerText()).toContain('text · 45015 reply-window-closed · oABC…Hijk')

  // The person writes, the window opens, and the operator retries.
  wechat.control.user(OPENID, 'message')
  await page.locator("[class*='jobActions-'] > li:visible button").hover()
  await photograph('4-retry')
  await page.locator("[class*='jobActions-'] > li:visible button").click()
  await page.getByText('Are you sure that you want to retry this job?').waitFor()
  await photograph('5-confirm')
  await page.getByRole('button', { name: 'Confirm' }).click()
  await vi.waitFor(() => expect(wechat.ledger.accepted().map(({ body }) => body)).toHaveLength(1), { timeout: 20_000 })
  expect(wechat.ledger.accepted()[0]?.body).toMatchObject({ touser: OPENID, text: { content: SECRET_TEXT } })
  await page.getByText('text · 45015').first().waitFor({ state: 'detached' })
  await photograph('6-afterwards')
}, 90_000)

it('shows delivered messages in the send queue without their content and without buttons', async () => {
  await page.goto(`${gateway.url}/dashboard/queue/${APPID}-send?status=completed`)
  await page.getByText('replayOf').first().waitFor()
  await photograph('7-send')
  expect(await page.locator('body').innerText()).not.toContain(SECRET_TEXT)
  expect(await page.locator("[class*='jobActions-'] > li:visible").count()).toBe(0)
}, 30_000)

const NOTICE = "[class*='queueTitle-'] > p"
/** What the notice looks like; run by the browser. */
const LOOK_OF_NOTICE = `(() => {
  const element = document.querySelector("${NOTICE}")
  const { backgroundColor, color, opacity } = getComputedStyle(element)
  const { top, bottom, left, width } = element.getBoundingClientRect()
  const isWhole = element.scrollHeight <= element.clientHeight && element.scrollWidth <= element.clientWidth
  const isOnTop = document.elementFromPoint(left + width / 2, (top + bottom) / 2) === element
  const isAboveJobs = bottom <= document.querySelector('main section').getBoundingClientRect().top
  return { backgroundColor, color, opacity, isWhole, isOnTop, isAboveJobs }
})()`

it('says at once why an app is held, whole and in a colour that is read', async () => {
  const reason = {
    errcode: 40164,
    name: 'ip-not-allowed',
    errmsg: 'invalid ip',
    meaning: { en: '', zh: '' },
    source: '',
  }
  const now = Date.now()
  await pauseApp(world.store, APPID, { why: 'moving house' })
  await world.store.redis.hset(`{wxo:${APPID}}:hold`, {
    kind: 'suspended',
    cause: 'send',
    reason: JSON.stringify(reason),
    since: now,
    until: now + 600_000,
  })
  const heading = page.getByRole('heading', { name: `${APPID} send – suspended: 40164 ip-not-allowed, paused` })
  await heading.waitFor()
  await photograph('8-held')
  const notice = page.locator(NOTICE)
  expect(await notice.innerText()).toMatch(
    /^Suspended since .*40164 ip-not-allowed\. Paused by an operator .*moving house/,
  )
  const shown = await page.evaluate(LOOK_OF_NOTICE)
  expect(shown).toEqual({
    backgroundColor: 'rgb(255, 243, 205)',
    color: 'rgb(74, 53, 0)',
    opacity: '1',
    isWhole: true,
    isOnTop: true,
    isAboveJobs: true,
  })
  await page.goto(`${gateway.url}/dashboard`)
  await page
    .getByRole('link', { name: `${APPID} send – suspended: 40164 ip-not-allowed, paused` })
    .first()
    .waitFor()
  await photograph('9-overview-held')
  await resumeApp(world.store, APPID)
}, 30_000)

it('asked no other host for anything, and nothing on the page broke', () => {
  expect(asked.length).toBeGreaterThan(5)
  const elsewhere = asked.filter(
    (url) => !url.startsWith(`${gateway.url}/`) && !url.startsWith('data:') && !url.startsWith('blob:'),
  )
  expect(elsewhere).toEqual([])
  expect(complaints).toEqual([])
})
