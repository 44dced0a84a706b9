import { describe, expect, it } from 'vitest'
import { createReplyScanner } from '../src/resp-replies.ts'

/** The whole replies of a stream that comes in these chunks, with their types. */
const repliesIn = (chunks: readonly Buffer[]): string[] => {
  const scanner = createReplyScanner()
  const whole: string[] = []
  let begun = ''
  for (const { bytes, type, isEnd } of chunks.flatMap((chunk) => scanner.scan(chunk))) {
    begun += bytes.toString('latin1')
    expect(type).toBe(begun[0])
    if (!isEnd) continue
    whole.push(begun)
    begun = ''
  }
  return begun === '' ? whole : [...whole, `${begun}…`]
}

const REPLIES = {
  'a status': '+OK\r\n',
  'an error': "-READONLY You can't write against a read only replica.\r\n",
  'a number': ':-12\r\n',
  'a string': '$11\r\nhello\r\nyou!\r\n',
  'an empty string': '$0\r\n\r\n',
  'a string that looks like a reply': '$5\r\n+OK\r\n\r\n',
  'a null string': '$-1\r\n',
  'a null array': '*-1\r\n',
  'an empty array': '*0\r\n',
  'an array in an array, with an error': '*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n-NOSCRIPT No matching script.\r\n',
  'RESP3: a null': '_\r\n',
  'RESP3: a truth': '#t\r\n',
  'RESP3: a double': ',3.25\r\n',
  'RESP3: a big number': '(3492890328409238509324850943850943825024385\r\n',
  'RESP3: an error with its length': '!21\r\nSYNTAX invalid syntax\r\n',
  'RESP3: a text with its format': '=8\r\ntxt:some\r\n',
  'RESP3: a map in a map': '%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n$1\r\nd\r\n',
  'RESP3: a set': '~2\r\n+a\r\n+b\r\n',
  'RESP3: a push': '>3\r\n+message\r\n+channel\r\n$2\r\nhi\r\n',
  'RESP3: a value with an attribute': '|1\r\n+ttl\r\n:3600\r\n*1\r\n:1\r\n',
}

describe('the reply scanner', () => {
  it.each(Object.entries(REPLIES))('finds the end of %s, wherever it is split', (_what, reply) => {
    const bytes = Buffer.from(`${reply}+next\r\n`, 'latin1')
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(repliesIn([bytes.subarray(0, at), bytes.subarray(at)])).toEqual([reply, '+next\r\n'])
    }
  })

  it('finds all ends in a stream that comes byte by byte', () => {
    const all = Object.values(REPLIES)
    const bytes = Buffer.from(all.join(''), 'latin1')
    expect(repliesIn(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(all)
    expect(repliesIn([bytes])).toEqual(all)
  })

  it('passes on what has come of a long string', () => {
    const scanner = createReplyScanner()
    expect(scanner.scan(Buffer.from('$1000\r\nabc'))).toMatchObject([{ type: '$', isEnd: false }])
    expect(scanner.scan(Buffer.from('x'.repeat(997)))).toMatchObject([{ type: '$', isEnd: false }])
    expect(scanner.scan(Buffer.from('\r\n:1'))).toMatchObject([
      { type: '$', isEnd: true },
      { type: ':', isEnd: false },
    ])
  })

  it('refuses what no Redis says', () => {
    expect(() => createReplyScanner().scan(Buffer.from('$abc\r\n'))).toThrow('no reply of Redis')
  })
})
