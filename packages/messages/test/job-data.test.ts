import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkSendRequest,
  EARLIER_REASONS_MAX,
  ERRMSG_CHARS_MAX,
  type JobData,
  newJobData,
  pictureUrlOf,
  readJobData,
  sendRequestSchema,
  wechatBody,
} from '../src/index.ts'

const text = { touser: 'o1', msgtype: 'text', text: { content: 'hello' } } as const
const job = { v: 1, ...text } as const
const read = (raw: unknown) => readJobData(raw)

describe('readJobData', () => {
  it('gives back what a producer has stored', () => {
    const stored = {
      ...job,
      sendAt: 1_900_000_000_000,
      expiresAt: 1_900_000_000_001,
      ifUnsure: 'dead-letter',
      metadata: { a: [1, null] },
    }
    expect(read(JSON.parse(JSON.stringify(stored)))).toEqual({ kind: 'ok', data: stored })
  })

  it('takes a text that was accepted under another limit', () => {
    expect(read({ ...job, text: { content: 'x'.repeat(50_000) } }).kind).toBe('ok')
  })

  it('takes control characters that were accepted by an older producer', () => {
    const title = 'a\u001B[0m'
    const card = { title, pagepath: 'p\u0007', thumb_media_id: 'M' }
    expect(read({ v: 1, touser: 'o1', msgtype: 'miniprogrampage', miniprogrampage: card }).kind).toBe('ok')
    expect(read({ ...job, text: { content: title } }).kind).toBe('ok')
  })

  it.each([4, 5, 1_000_000, Number.MAX_SAFE_INTEGER])('lets version %d wait, whatever else it holds', (v) => {
    expect(read({ v })).toEqual({ kind: 'newer', v })
    expect(read({ v, touser: 7, new: {} })).toEqual({ kind: 'newer', v })
  })

  it.each(['1', '2', 0, -1, 1.5, 2.5, null, undefined, true, Number.NaN, Infinity, [1], {}])(
    'refuses a version that is none: %j',
    (v) => {
      const result = read({ ...job, v })
      expect(result.kind).toBe('invalid')
      expect(result).toMatchObject({ problem: expect.stringMatching(/^v /) })
    },
  )

  it.each([null, undefined, 'text', 7, true, [], [job], () => job, Symbol('a'), 1n])(
    'refuses what is not an object',
    (raw) => expect(read(raw)).toEqual({ kind: 'invalid', problem: 'the job data is not an object' }),
  )

  it('names every problem, and the message itself where it has no path', () => {
    expect(read({ v: 1, ...text, touser: 'a b', text: {} })).toMatchObject({
      kind: 'invalid',
      problem: expect.stringMatching(/^touser .*; text\.content /),
    })
    expect(read({})).toMatchObject({ kind: 'invalid', problem: expect.stringMatching(/^v .*; msgtype must be one of/) })
  })

  it('refuses keys that it does not know, and those that pollute', () => {
    expect(read({ ...job, appid: 'wx1' })).toEqual({ kind: 'invalid', problem: 'appid is not a known key' })
    expect(read(JSON.parse(`{"v":1,"__proto__":{"touser":"o1"}}`))).toMatchObject({ kind: 'invalid' })
  })

  it('keeps a problem short and says nothing of the content', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`key${n}`, 'S3CRET']))
    const result = read({ ...job, ...many, text: { content: 'S3CRET'.repeat(20_000) } })
    expect(result.kind).toBe('invalid')
    expect(JSON.stringify(result).length).toBeLessThan(400)
    expect(JSON.stringify(result)).not.toContain('S3CRET')
  })

  it('keeps a secret out of a problem, which names the keys of the data', () => {
    const result = read({ ...job, 'secret=abc': 'x', ['k'.repeat(500)]: 'x' })
    expect(result).toMatchObject({ kind: 'invalid', problem: expect.stringContaining('secret=*** is not a known key') })
  })

  it('keeps where a replay comes from', () => {
    const origin = { replayOf: 'd-1', earlierReasons: ['45015 reply-window-closed'] }
    expect(read({ ...job, ...origin })).toEqual({ kind: 'ok', data: { ...job, ...origin } })
    expect(read({ ...job, replayOf: 'd-1' })).toEqual({
      kind: 'ok',
      data: { ...job, replayOf: 'd-1', earlierReasons: [] },
    })
    expect(read({ ...job, earlierReasons: ['a'] })).toEqual({ kind: 'ok', data: job })
  })

  it('refuses an origin that is none', () => {
    const tooMany = Array<string>(EARLIER_REASONS_MAX + 1).fill('a')
    for (const origin of [{ replayOf: 7 }, { replayOf: 'd-1', earlierReasons: tooMany }, { earlierReasons: 'a' }]) {
      expect(read({ ...job, ...origin }).kind).toBe('invalid')
    }
  })
})

describe('anything at all', () => {
  it('is read without throwing', () => {
    const raw = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, maxDepth: 5 }),
      fc.record({ v: fc.anything(), touser: fc.anything(), msgtype: fc.anything(), text: fc.anything() }),
    )
    fc.assert(
      fc.property(raw, (value) => {
        const result = read(value)
        if (result.kind === 'invalid') expect(result.problem.length).toBeLessThanOrEqual(ERRMSG_CHARS_MAX)
        else expect(['ok', 'newer']).toContain(result.kind)
      }),
      { numRuns: 500 },
    )
  })

  it('that is accepted as a request is readable as a job', () => {
    const time = fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.integer({ min: 1_000_000_000_000, max: 4_102_444_800_000 }),
    )
    const request = fc.record(
      {
        touser: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
        msgtype: fc.constant('text'),
        text: fc.record({ content: fc.string({ minLength: 1 }) }),
        sendAt: time,
        expiresAt: time,
        metadata: fc.dictionary(fc.string(), fc.jsonValue()),
        ifUnsure: fc.constantFrom('resend', 'dead-letter'),
      },
      { requiredKeys: ['touser', 'msgtype', 'text'] },
    )
    const schema = sendRequestSchema()
    fc.assert(
      fc.property(request, (input) => {
        const checked = checkSendRequest(input, schema)
        fc.pre(checked.ok)
        const stored: unknown = JSON.parse(JSON.stringify({ v: 1, ...checked.value }))
        expect(read(stored)).toEqual({ kind: 'ok', data: stored })
      }),
      { numRuns: 300 },
    )
  })
})

describe('the data of a message whose picture is given by its URL', () => {
  const url = 'https://a.test/a.png'
  const checked = (request: object) => {
    const result = checkSendRequest(request, sendRequestSchema())
    if (!result.ok) throw new Error(JSON.stringify(result.problems))
    return result.value
  }

  it('has version 3, with and without an onClosed, and others keep theirs', () => {
    const image = { touser: 'o1', msgtype: 'image', image: { url } }
    expect(newJobData(checked(image))).toMatchObject({ v: 3, image: { url } })
    expect(newJobData(checked({ ...image, onClosed: 'hold' }))).toMatchObject({ v: 3, onClosed: 'hold' })
    const card = { title: 't', pagepath: 'p', thumb_url: url }
    expect(newJobData(checked({ touser: 'o1', msgtype: 'miniprogrampage', miniprogrampage: card })).v).toBe(3)
    expect(newJobData(checked({ ...image, image: { media_id: 'M', url: null } })).v).toBe(1)
    expect(newJobData(checked({ ...text, onClosed: 'hold' })).v).toBe(2)
  })

  it('becomes a body with the id of the picture and without the URL', () => {
    const image = read({ v: 3, touser: 'o1', msgtype: 'image', image: { url } })
    if (image.kind !== 'ok') throw new Error(image.kind)
    expect(pictureUrlOf(image.data)).toBe(url)
    expect(JSON.stringify(wechatBody(image.data, 'M'))).toBe(
      '{"touser":"o1","msgtype":"image","image":{"media_id":"M"}}',
    )
    const card = read({
      v: 3,
      touser: 'o1',
      msgtype: 'miniprogrampage',
      miniprogrampage: { title: 't', pagepath: 'p', thumb_url: url },
    })
    if (card.kind !== 'ok') throw new Error(card.kind)
    expect(JSON.stringify(wechatBody(card.data, 'M'))).toBe(
      '{"touser":"o1","msgtype":"miniprogrampage","miniprogrampage":{"title":"t","pagepath":"p","thumb_media_id":"M"}}',
    )
  })
})

describe('wechatBody', () => {
  const beside = { metadata: { a: 1 }, ifUnsure: 'resend', sendAt: 1_900_000_000_000 } as const
  const link = { thumb_url: 'https://a.test/i', url: 'https://a.test', description: 'd', title: 't' }
  const page = { thumb_media_id: 'm', pagepath: 'p', title: 't' }
  const bodyOf = (data: unknown): string => {
    const result = read(data)
    if (result.kind !== 'ok') throw new Error(JSON.stringify(result))
    return JSON.stringify(wechatBody(result.data satisfies JobData))
  }

  it('has WeChat’s own fields in WeChat’s order and nothing else, however the request was written', () => {
    expect(bodyOf({ ...beside, text: text.text, msgtype: 'text', touser: 'o1', v: 1, replayOf: 'd-1' })).toBe(
      '{"touser":"o1","msgtype":"text","text":{"content":"hello"}}',
    )
    const extras = { customservice: { kf_account: 'a@b' }, businessid: 'B', aimsgcontext: { is_ai_msg: 1 } }
    expect(bodyOf({ ...extras, ...beside, text: text.text, msgtype: 'text', touser: 'o1', v: 1 })).toBe(
      '{"touser":"o1","msgtype":"text","text":{"content":"hello"},"aimsgcontext":{"is_ai_msg":1},"businessid":"B","customservice":{"kf_account":"a@b"}}',
    )
    expect(bodyOf({ v: 1, image: { media_id: 'm' }, msgtype: 'image', touser: 'o1', ...beside })).toBe(
      '{"touser":"o1","msgtype":"image","image":{"media_id":"m"}}',
    )
    expect(bodyOf({ v: 1, link, msgtype: 'link', touser: 'o1' })).toBe(
      '{"touser":"o1","msgtype":"link","link":{"title":"t","description":"d","url":"https://a.test","thumb_url":"https://a.test/i"}}',
    )
    expect(bodyOf({ v: 1, miniprogrampage: page, msgtype: 'miniprogrampage', touser: 'o1' })).toBe(
      '{"touser":"o1","msgtype":"miniprogrampage","miniprogrampage":{"title":"t","pagepath":"p","thumb_media_id":"m"}}',
    )
  })
})
