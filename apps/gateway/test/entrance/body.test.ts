import { describe, expect, it } from 'vitest'
import { readJsonBody } from '../../src/entrance/body.ts'

describe('a body', () => {
  it('is JSON in UTF-8, escaped or not', () => {
    const body = { text: '您好 👋' }
    const escaped = String.raw`{"text":"\u60a8\u597d \ud83d\udc4b"}`
    for (const text of [JSON.stringify(body), escaped, `\uFEFF${JSON.stringify(body)}`]) {
      expect(readJsonBody(Buffer.from(text))).toEqual({ kind: 'body', body })
    }
  })

  it.each([
    ['nothing', undefined, 44002],
    ['no bytes', Buffer.alloc(0), 44002],
    ['half of it', Buffer.from('{"a"'), 47001],
    ['a form', Buffer.from('a=b'), 47001],
    ['a list', Buffer.from('[]'), 47001],
    ['null', Buffer.from('null'), 47001],
    ['GBK', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc4, 0xe3, 0x22, 0x7d]), 47001],
  ])('that is %s is refused', (_, bytes, errcode) => {
    expect(readJsonBody(bytes)).toMatchObject({ kind: 'refused', refusal: { errcode } })
  })
})
