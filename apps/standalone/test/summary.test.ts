import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expectedSummary, missingOutcomes, summarize } from '../src/summary.ts'

let fake: FakeWechat
let token = ''
beforeEach(async () => {
  fake = await startFakeWechat({ windows: 'strict' })
  await fetchToken()
})
afterEach(() => fake.close())

async function fetchToken(): Promise<void> {
  const body = JSON.stringify({ grant_type: 'client_credential', appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET })
  const answer = await fetch(`${fake.url}/cgi-bin/stable_token`, { method: 'POST', body })
  token = ((await answer.json()) as { access_token: string }).access_token
}

async function send(touser: string, content = 'hello'): Promise<void> {
  const body = JSON.stringify({ touser, msgtype: 'text', text: { content } })
  await fetch(`${fake.url}/cgi-bin/message/custom/send?access_token=${token}`, { method: 'POST', body })
}

const run = (over: { tokenCallsBefore?: number; seqBeforeReplay?: number } = {}) => ({
  openids: new Set(['oAnna', 'oBao']),
  tokenCallsBefore: 1,
  seqBeforeReplay: Infinity,
  ...over,
})

describe('the summary', () => {
  it('counts a message once, however often WeChat took it', async () => {
    fake.control.user('oAnna', 'message')
    await send('oAnna')
    await send('oAnna')
    expect(summarize(fake.ledger, run())).toMatchObject({ delivered: 1, retried: 0 })
  })

  it('leaves out whom the run did not write to', async () => {
    fake.control.user('oSomebody', 'message')
    await send('oSomebody')
    expect(summarize(fake.ledger, run()).delivered).toBe(0)
  })

  it('counts a retry only when WeChat took the message after all', async () => {
    fake.control.user('oAnna', 'message')
    fake.control.addFault({ times: 2, fault: { name: 'errcode', errcode: -1 } })
    await send('oAnna')
    await send('oBao')
    await send('oAnna')
    expect(summarize(fake.ledger, run())).toMatchObject({ delivered: 1, retried: 1 })
  })

  it('counts tokens handed out after the old one had died', async () => {
    await fetchToken()
    expect(summarize(fake.ledger, run({ tokenCallsBefore: 2 })).tokenRefreshes).toBe(0)
    expect(summarize(fake.ledger, run({ tokenCallsBefore: 1 })).tokenRefreshes).toBe(1)
  })

  it('counts a replay only when the refused message was taken after it was asked for', async () => {
    await send('oAnna')
    const seqBeforeReplay = fake.ledger.sendCount()
    expect(summarize(fake.ledger, run({ seqBeforeReplay }))).toMatchObject({
      deadLettered: { '45015': 1 },
      replayed: 0,
    })
    fake.control.user('oAnna', 'message')
    await send('oAnna', 'something else')
    expect(summarize(fake.ledger, run({ seqBeforeReplay })).replayed).toBe(0)
    await send('oAnna')
    expect(summarize(fake.ledger, run({ seqBeforeReplay })).replayed).toBe(1)
  })
})

describe('what is missing', () => {
  it('is nothing when everything happened', () => expect(missingOutcomes(expectedSummary())).toEqual([]))

  it('is named with how often it should have happened', () => {
    const whole = expectedSummary()
    const summary = { ...whole, replayed: 0, deadLettered: { ...whole.deadLettered, '45047': 0 } }
    expect(missingOutcomes(summary)).toEqual(['replayed: 0 of 1', 'dead-lettered 45047: 0 of 1'])
  })

  it('expects every outcome at least once', () => {
    const { deadLettered, ...counts } = expectedSummary()
    for (const count of [...Object.values(counts), ...Object.values(deadLettered)]) expect(count).toBeGreaterThan(0)
  })
})
