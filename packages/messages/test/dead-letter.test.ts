import { describe, expect, it } from 'vitest'
import { type DeadLetter, type Reason, reasonLine, recipientOf } from '../src/index.ts'

const reason: Reason = {
  errcode: 45015,
  name: 'reply-window-closed',
  errmsg: 'response out of time limit',
  meaning: { en: 'The window is closed.', zh: '回复时间超过限制' },
  source: 'test',
}
const letter: DeadLetter = {
  v: 1,
  messageId: 'm-1',
  message: { v: 1, touser: 'o1', msgtype: 'text', text: { content: 'hello' } },
  reason,
  attempts: [],
  acceptedAt: 1,
  deadAt: 2,
}

describe('reasonLine', () => {
  it('begins with the code and the name', () => {
    expect(reasonLine(reason)).toBe('45015 reply-window-closed: response out of time limit')
  })

  it('begins with the name where the reason is our own', () => {
    expect(reasonLine({ ...reason, errcode: null, name: 'expired' })).toBe('expired: response out of time limit')
  })

  it('ends without a text where there is none', () => {
    expect(reasonLine({ ...reason, errmsg: '' })).toBe('45015 reply-window-closed')
    expect(reasonLine({ ...reason, errcode: null, errmsg: '' })).toBe('reply-window-closed')
  })

  it('shows the codes 0 and -1 like any other', () => {
    expect([0, -1].map((errcode) => reasonLine({ ...reason, errcode, errmsg: '' }))).toEqual([
      '0 reply-window-closed',
      '-1 reply-window-closed',
    ])
  })
})

describe('recipientOf', () => {
  it('is the recipient of a message that could be read', () => {
    expect(recipientOf(letter)).toBe('o1')
    expect(recipientOf({ ...letter, message: { unreadable: { touser: 'o1' } } })).toBeUndefined()
  })
})
