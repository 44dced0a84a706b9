/**
 * The operator's page as a person meets it: a real Chromium, the gateway, a consumer that carries tasks out. By the keyboard alone, from
 * the filter to a task that is done; what a screen reader is told is judged by axe, in both languages, wide and narrow, light and dark.
 */
import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Consumer } from '@wechat-outbox/outbox/engine'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bury,
  deadIds,
  OPENID,
  openGateway,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from '../support/world.ts'
import { launchChromium } from './chromium.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')
const PEOPLE = 12

let world: World
let consumer: Consumer
let gateway: TestGateway
let browser: Browser
let context: BrowserContext
let page: Page
let pictures: string
const asked: string[] = []
const complaints: string[] = []

beforeAll(async () => {
  pictures = await mkdtemp(join(tmpdir(), 'dead-letters-pictures-'))
  console.info(`screenshots: ${pictures}`)
  world = await startWorld()
  await bury(
    world,
    Array.from({ length: PEOPLE }, (_, n) => ({
      touser: n === 0 ? OPENID : `oPerson${String(n).padStart(4, '0')}_abcdefgh`,
      msgtype: 'text',
      text: { content: 'hello' },
      metadata: { order: `A-${n}` },
    })),
  )
  consumer = await startUndertaker(world)
  const credentials = { DASHBOARD_USER: 'operator', DASHBOARD_PASSWORD: 'correct horse' }
  gateway = await openGateway({ REDIS_URL: world.redis.url, ...credentials })
  browser = await launchChromium()
  context = await browser.newContext({
    httpCredentials: { username: 'operator', password: 'correct horse' },
    viewport: { width: 1280, height: 900 },
    locale: 'en',
  })
  page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('request', (request) => asked.push(request.url()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
}, 60_000)

afterAll(async () => {
  await browser?.close()
  await gateway?.close()
  await consumer?.close(1000)
  await world?.close()
}, 30_000)

const photograph = (name: string): Promise<Buffer> =>
  page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })

/** What a person hears of the control that has the focus, more or less. */
const NAME_OF_FOCUSED = `[
  document.activeElement.getAttribute('aria-label'),
  document.activeElement.labels?.[0]?.textContent,
  document.activeElement.textContent,
].filter(Boolean).join(' ').trim()`

/** Presses Tab until what is named has the focus. */
async function tabTo(name: RegExp): Promise<void> {
  for (let presses = 0; presses < 100; presses += 1) {
    await page.keyboard.press('Tab')
    const said = await page.evaluate<string>(NAME_OF_FOCUSED)
    if (name.test(said)) return
  }
  throw new Error(`the keyboard does not reach ${String(name)}`)
}

async function complaintsOfAxe(): Promise<string[]> {
  // The pages let no script in but their own; this one comes by the browser's debugger.
  await page.evaluate(AXE)
  const { violations } = await page.evaluate<AxeResults>("axe.run({ resultTypes: ['violations'] })")
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}

it('is used by the keyboard alone, from the filter to a task that is done', async () => {
  await page.goto(`${gateway.url}/`)
  await page.keyboard.press('Tab')
  await tabTo(/^Dead letters/)
  await page.keyboard.press('Enter')
  await page.waitForURL('**/dead-letters')
  await photograph('1-first-look')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  expect(new URL(page.url()).hash).toBe('#main')

  await tabTo(/^Openid or id/)
  await page.keyboard.type('oPerson0007_abcdefgh')
  await page.keyboard.press('Enter')
  await page.getByText('1 dead letter', { exact: true }).waitFor()
  await tabTo(/^Tick d-/)
  await page.keyboard.press('Space')
  await tabTo(/^Discard the ticked/)
  await photograph('2-ticked')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Discard 1 dead letter?' }).waitFor()
  await photograph('3-preflight')
  expect(await deadIds(world)).toHaveLength(PEOPLE)
  await tabTo(/^Discard 1 for good/)
  await page.keyboard.press('Enter')
  await page.getByText('Discard: done', { exact: true }).waitFor()
  await page.getByText('1 of 1').waitFor()
  await photograph('4-done')
  expect(await deadIds(world)).toHaveLength(PEOPLE - 1)
})

it('shows the progress of a task while it runs, keeps the focus, and cancels it', async () => {
  await page.goto(`${gateway.url}/dead-letters?errcode=45015`)
  await page.getByRole('button', { name: 'Replay all found' }).click()
  await page.getByRole('heading', { name: `Replay ${PEOPLE - 1} dead letters?` }).waitFor()
  await page.getByLabel('Letters per second').fill('1')
  await page.keyboard.press('Enter')
  await page.getByText('At 1 per second about 11 seconds').waitFor()
  await photograph('5-replay')
  await page.getByRole('button', { name: `Replay ${PEOPLE - 1} now` }).click()
  await page.waitForURL('**/dead-letters/tasks/r-*')
  await page.goto(`${gateway.url}/dead-letters`)
  const progress = page.getByRole('progressbar').first()
  const valueOf = async (): Promise<number> => Number(await progress.getAttribute('value'))
  await page.locator('progress[value]').first().waitFor()
  const cancel = page.getByRole('button', { name: /^Cancel r-/ })
  await cancel.focus()
  const before = await valueOf()
  await expect.poll(valueOf, { timeout: 15_000 }).toBeGreaterThan(before)
  expect(await page.evaluate<string>(NAME_OF_FOCUSED)).toMatch(/^Cancel r-/)
  await photograph('6-running')
  await page.keyboard.press('Enter')
  await page.getByText('Replay: cancelled').first().waitFor()
  await photograph('7-cancelled')
})

describe.each([
  ['en', 'light', 1280],
  ['zh', 'dark', 390],
] as const)('in %s, %s, %d pixels wide', (lang, colorScheme, width) => {
  it('axe finds nothing on any page, and nothing is wider than the screen', async () => {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme })
    await page.goto(`${gateway.url}/dead-letters?lang=${lang}`)
    const [id = ''] = await deadIds(world)
    const task = await page.locator('#tasks table a').first().getAttribute('href')
    const paths = {
      list: `/dead-letters?tick=all&lang=${lang}`,
      letter: `/dead-letters/letters/${id}?lang=${lang}`,
      preflight: `/dead-letters/preflight?action=discard&of=found&lang=${lang}`,
      replay: `/dead-letters/preflight?action=replay&of=ticked&id=${id}&lang=${lang}`,
      task: task ?? '',
      tasks: `/dead-letters/tasks?lang=${lang}`,
      problem: `/dead-letters?errcode=nonsense&lang=${lang}`,
      root: `/?lang=${lang}`,
    }
    for (const [name, path] of Object.entries(paths)) {
      await page.goto(gateway.url + path)
      await photograph(`${lang}-${width}-${name}`)
      expect(await complaintsOfAxe(), path).toEqual([])
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(width)
    }
  })
})

it('asked no other host for anything, and nothing on the pages broke', () => {
  expect(asked.length).toBeGreaterThan(20)
  expect(asked.filter((url) => !url.startsWith(`${gateway.url}/`))).toEqual([])
  expect(complaints.filter((text) => !text.includes('400 (Bad Request)'))).toEqual([])
})
