import { describe, expect, it } from 'vitest'
import { type CheckedRequest, checkSendRequest, fingerprint, sendRequestSchema } from '../src/index.ts'

const schema = sendRequestSchema()
function checked(input: Record<string, unknown>): CheckedRequest {
  const result = checkSendRequest(input, schema)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.value
}
const text = { touser: 'o1', msgtype: 'text', text: { content: 'hello' } }
const of = (extra: Record<string, unknown> = {}): string => fingerprint(checked({ ...text, ...extra }))

describe('fingerprint', () => {
  it('is 22 characters and always the same', () => {
    expect(of()).toMatch(/^[\w-]{22}$/)
    expect(of()).toBe(of())
  })

  it('does not mind the order of keys, at any depth', () => {
    const metadata = { b: [1, { y: 1, x: 2 }], a: 1 }
    const turned = { a: 1, b: [1, { x: 2, y: 1 }] }
    expect(fingerprint(checked({ metadata: turned, text: text.text, msgtype: 'text', touser: 'o1' }))).toBe(
      of({ metadata }),
    )
  })

  it('does not mind the idempotency key, the trace, or how a time is written', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(of({ idempotencyKey: 'a', traceparent })).toBe(of())
    const sendAt = '2030-01-02T11:04:05+08:00'
    expect(of({ sendAt })).toBe(of({ sendAt: Date.parse(sendAt) }))
  })

  it.each([
    { touser: 'o2' },
    { text: { content: 'hello ' } },
    { metadata: {} },
    { metadata: { a: [1, 2] } },
    { metadata: { a: [2, 1] } },
    { metadata: { a: '1' } },
    { ifUnsure: 'dead-letter' },
    { sendAt: 1_900_000_000_000 },
    { expiresAt: 1_900_000_000_000 },
  ])('differs with %j', (extra) => {
    expect(of(extra)).not.toBe(of())
  })

  it('differs between types and between what is asked beside them', () => {
    const prints = [of({ metadata: { a: 1 } }), of({ metadata: { a: '1' } }), of({ metadata: { a: [1] } })]
    const image = fingerprint(checked({ touser: 'o1', msgtype: 'image', image: { media_id: 'hello' } }))
    expect(new Set([...prints, image, of()]).size).toBe(5)
  })
})
