/** The description of the API as a person reads it: a real Chromium, under the gateway's own content security policy. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { operations } from '../../src/v1/operations.ts'
import { APPID, openGateway, startWorld } from '../support/world.ts'
import { launchChromium } from './chromium.ts'

it('shows every call, asks no other host for anything, and can be tried', async () => {
  const pictures = await mkdtemp(join(tmpdir(), 'docs-pictures-'))
  console.info(`screenshots: ${pictures}`)
  const world = await startWorld()
  const gateway = await openGateway({ REDIS_URL: world.redis.url })
  const browser = await launchChromium()
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 1200 } })
    const asked: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    const answer = await page.goto(`${gateway.url}/docs`)
    expect(answer?.headers()['content-security-policy']).toContain("default-src 'self'")
    const calls = Object.keys(operations).length
    await page
      .locator('.opblock')
      .nth(calls - 1)
      .waitFor()
    expect(await page.locator('.opblock').count()).toBe(calls)
    await page.screenshot({ path: join(pictures, 'docs.png') })
    // Tried from the page, it is a real call.
    const list = page.locator('#operations-Dead_letters-listDeadLetters')
    await list.locator('.opblock-summary-control').click()
    await list.getByRole('button', { name: 'Try it out' }).click()
    await list.getByPlaceholder('appid').fill(APPID)
    await list.getByRole('button', { name: 'Execute' }).click()
    await list.locator('.live-responses-table .response-col_status', { hasText: '200' }).first().waitFor()
    await page.screenshot({ path: join(pictures, 'tried.png') })
    expect(asked.filter((url) => !url.startsWith(gateway.url) && !url.startsWith('data:'))).toEqual([])
    expect(complaints).toEqual([])
  } finally {
    await browser.close()
    await gateway.close()
    await world.close()
  }
})
