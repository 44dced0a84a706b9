import { expect, it } from 'vitest'
import { printable, shortOpenid, table } from '../src/output.ts'

it('makes what could steer a terminal visible and leaves people’s scripts and emoji alone', () => {
  expect(printable('a\u001b[2Jb\r\n\u009bc\u202ed')).toBe('a\\u001b[2Jb\\u000d\\n\\u009bc\\u202ed')
  expect(printable('您好 👩‍👩‍👧 é')).toBe('您好 👩‍👩‍👧 é')
})

it('shortens an openid so that both ends can still be compared', () => {
  expect(shortOpenid('oABCDEFGHIJKLMNOPQRSTUVWXYZ1')).toBe('oABCDE…WXYZ1')
  expect(shortOpenid('oShort')).toBe('oShort')
})

it('aligns columns on the widest cell, whatever stands in it', () => {
  expect(
    table(
      ['ID', 'REASON'],
      [
        ['d-1', 'a\nb'],
        ['d-1000', 'c'],
      ],
    ),
  ).toEqual({
    head: 'ID      REASON',
    rows: ['d-1     a\\nb', 'd-1000  c'],
  })
})
