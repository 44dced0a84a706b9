import { beforeEach, describe, expect, it } from 'vitest'
import { openReplyWindows } from '../src/windows.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
let nowMs = 0
let windows = openReplyWindows('strict', () => nowMs)
const answers = (count: number): number[] =>
  Array.from({ length: count }, () => {
    const errcode = windows.check('oAnna')
    if (errcode === 0) windows.count('oAnna')
    return errcode
  })

beforeEach(() => {
  nowMs = 1_000_000
  windows = openReplyWindows('strict', () => nowMs)
})

describe('in strict mode', () => {
  it('is closed for who has done nothing', () => expect(answers(1)).toEqual([45015]))

  it('allows five messages after a message', () => {
    windows.act('oAnna', 'message')
    expect(answers(6)).toEqual([0, 0, 0, 0, 0, 45047])
  })

  it('closes 48 hours after a message', () => {
    windows.act('oAnna', 'message')
    nowMs += 48 * HOUR_MS - 1
    expect(answers(1)).toEqual([0])
    nowMs += 1
    expect(answers(1)).toEqual([45015])
  })

  it('allows two messages within a minute after entering', () => {
    windows.act('oAnna', 'enter')
    expect(answers(3)).toEqual([0, 0, 45047])
    nowMs += MINUTE_MS
    expect(answers(1)).toEqual([45015])
  })

  it('starts again with a new message and does not add up', () => {
    windows.act('oAnna', 'message')
    answers(3)
    windows.act('oAnna', 'message')
    expect(answers(6)).toEqual([0, 0, 0, 0, 0, 45047])
  })

  it('is not shortened by entering after a message', () => {
    windows.act('oAnna', 'message')
    answers(5)
    windows.act('oAnna', 'enter')
    nowMs += HOUR_MS
    expect(answers(6)).toEqual([0, 0, 0, 0, 0, 45047])
  })

  it('obeys other limits', () => {
    windows.configure({ enterLimit: 1, messageLimit: 3 })
    windows.act('oAnna', 'enter')
    expect(answers(2)).toEqual([0, 45047])
    windows.act('oAnna', 'message')
    expect(answers(4)).toEqual([0, 0, 0, 45047])
  })
})

it('is open without limit in open mode until a test says otherwise', () => {
  windows = openReplyWindows('open', () => nowMs)
  expect(new Set(answers(100))).toEqual(new Set([0]))
  windows.act('oAnna', 'close')
  expect(answers(1)).toEqual([45015])
  windows.act('oAnna', 'exhaust')
  expect(answers(1)).toEqual([45047])
  windows.act('oAnna', 'open')
  expect(answers(10)).not.toContain(45047)
  windows.act('oAnna', 'message')
  expect(answers(6)).toEqual([0, 0, 0, 0, 0, 45047])
  windows.act('oAnna', 'unknown')
  expect(answers(1)).toEqual([40003])
  windows.act('oAnna', 'known')
  expect(answers(1)).toEqual([45047])
})

it('believes that an openid is wrong by its first letters unless told otherwise', () => {
  windows.act('oUnknown1', 'known')
  expect(windows.check('oUnknown1')).toBe(45015)
  expect(windows.check('oUnknown2')).toBe(40003)
})
