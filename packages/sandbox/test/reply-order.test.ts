import { beforeEach, describe, expect, it } from 'vitest'
import { createReplyOrder, type Expected, type ReplyOrder } from '../src/reply-order.ts'

let order: ReplyOrder
let given = ''
let broken = false
const ours = (text: string): Expected => ({ kind: 'ours', reply: Buffer.from(text) })
const hears = (text: string) => order.fromServer(Buffer.from(text))

beforeEach(() => {
  given = ''
  broken = false
  order = createReplyOrder({
    toClient: (bytes) => {
      given += String(bytes)
    },
    breakOff: () => {
      broken = true
    },
  })
})

describe('the order of replies', () => {
  it('gives ours at once when nothing is waited for, and in its place otherwise', () => {
    order.expect(ours('-A\r\n'))
    expect(given).toBe('-A\r\n')
    order.expect({ kind: 'pass' })
    order.expect(ours('-B\r\n'))
    order.expect(ours('-C\r\n'))
    order.expect({ kind: 'pass' })
    hears('*2\r\n:1\r\n')
    expect(given).toBe('-A\r\n*2\r\n:1\r\n')
    hears(':2\r\n$3\r\na')
    expect(given).toBe('-A\r\n*2\r\n:1\r\n:2\r\n-B\r\n-C\r\n$3\r\na')
  })

  it('gives ours behind a push that has begun, which answers nothing', () => {
    hears('>2\r\n+invalidate\r\n')
    order.expect(ours('-A\r\n'))
    expect(given).toBe('>2\r\n+invalidate\r\n')
    order.expect({ kind: 'pass' })
    hears('*0\r\n+OK\r\n')
    expect(given).toBe('>2\r\n+invalidate\r\n*0\r\n-A\r\n+OK\r\n')
  })

  it('replaces a reply, unless Redis itself refused', () => {
    for (const reply of ['-EXECABORT a\r\n', '-EXECABORT b\r\n']) {
      order.expect({ kind: 'replace', reply: Buffer.from(reply) })
    }
    hears('+O')
    hears('K\r\n-NOAUTH Authentication required.\r\n')
    expect(given).toBe('-EXECABORT a\r\n-NOAUTH Authentication required.\r\n')
  })

  it('breaks off where a reply is to be lost, once all of it has come', () => {
    order.expect({ kind: 'pass' })
    order.expect({ kind: 'lose' })
    hears(':1\r\n$5\r\nab')
    expect(broken).toBe(false)
    hears('cde\r\n')
    expect(given).toBe(':1\r\n')
    expect(broken).toBe(true)
  })

  it('passes on everything once it is told to read no more, but what was asked before comes first', () => {
    order.expect({ kind: 'pass' })
    order.expect(ours('-A\r\n'))
    order.expect({ kind: 'raw' })
    hears(':1\r\nanything')
    hears('$at all')
    expect(given).toBe(':1\r\n-A\r\nanything$at all')
  })
})
