import { expect, it } from 'vitest'
import { openLedger } from '../src/ledger.ts'

const fields = { at: 0, appid: 'wx', touser: 'o', msgtype: 'text', contentType: null, method: 'POST', path: '/' }

it('drops the oldest entries beyond its limit and says how many', () => {
  const { addSend, markAccepted, ledger } = openLedger(100)
  for (let i = 1; i <= 105; i += 1) {
    markAccepted(addSend({ ...fields, rawBody: `{"n":${i}}`, errcode: 0, accepted: false }))
  }
  expect(ledger.summary()).toMatchObject({ dropped: 10, sends: 95, accepted: 95 })
  expect(ledger.sendCount()).toBe(105)
  expect(ledger.acceptedCount()).toBe(105)
  expect(ledger.sends()[0]?.seq).toBe(11)
  expect(ledger.sends(103).map(({ seq, body }) => [seq, body])).toEqual([
    [104, { n: 104 }],
    [105, { n: 105 }],
  ])
})
