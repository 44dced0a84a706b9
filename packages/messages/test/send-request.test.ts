import { describe, expect, it } from 'vitest'
import { checkSendRequest, MSGTYPES, sendRequestSchema } from '../src/index.ts'
import { good, image, link, look, paths, problems, text, with_ } from './support/requests.ts'

describe('a good request', () => {
  it.each(MSGTYPES)('of type %s passes as it is', (msgtype) => {
    expect(look(good[msgtype])).toEqual({ ok: true, value: good[msgtype] })
  })

  it('keeps everything that may stand beside the message, with times as epoch milliseconds', () => {
    const beside = {
      idempotencyKey: 'order 7',
      ifUnsure: 'dead-letter',
      metadata: { order: 7, tags: ['a', null, true], nested: { deep: 1.5 } },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    }
    const sendAt = '2030-01-02T03:04:05+08:00'
    expect(look(with_({ ...beside, sendAt, expiresAt: 1_900_000_000_000 }))).toEqual({
      ok: true,
      value: { ...text, ...beside, sendAt: Date.parse(sendAt), expiresAt: 1_900_000_000_000 },
    })
  })

  it('does not change the value that was handed in', () => {
    const input = with_({ sendAt: '2030-01-02T03:04:05Z', metadata: { a: [1] } })
    const before = structuredClone(input)
    look(input)
    expect(input).toEqual(before)
  })
})

describe('the whole message', () => {
  it.each([null, undefined, 'text', 7, true, [], [text]])('is refused at the path of the request: %j', (input) => {
    expect(problems(input)).toMatchObject([
      { path: '', message: expect.stringMatching(/^(?:must be an object|is missing)$/) },
    ])
  })

  it('names the types it takes for one that it does not know', () => {
    const message = 'must be one of "text", "image", "link", "miniprogrampage"'
    for (const msgtype of ['voice', 'TEXT', '', 1, null, undefined, '__proto__', 'constructor']) {
      expect(problems({ ...text, msgtype })).toEqual([{ path: 'msgtype', message }])
    }
    const paths = problems({ touser: 'a b', msgtype: 'voice', voice: {} }).map(({ path }) => path)
    expect(paths).toEqual(['touser', 'msgtype'])
  })

  it.each(MSGTYPES)('of type %s needs its content', (msgtype) => {
    const { [msgtype]: _content, ...rest } = good[msgtype] as Record<string, unknown>
    expect(paths(rest)).toEqual([msgtype])
    expect(paths({ ...rest, [msgtype]: 'a string' })).toEqual([msgtype])
  })

  it('is told of every problem at once', () => {
    const input = {
      touser: 'a b',
      msgtype: 'text',
      text: { content: ' ' },
      image: {},
      ifUnsure: 'maybe',
      sendAt: 'now',
    }
    expect(paths(input).toSorted()).toEqual(['ifUnsure', 'image', 'sendAt', 'text.content', 'touser'])
  })
})

describe('a recipient', () => {
  it.each(['', 'a b', 'a/b', 'ü', 'x'.repeat(65), 'a\n', 5, null, undefined, ['o1']])('is refused: %j', (touser) => {
    expect(paths({ ...text, touser })).toEqual(['touser'])
  })

  it('may have 64 characters', () => {
    expect(look({ ...text, touser: 'x'.repeat(64) }).ok).toBe(true)
  })
})

describe('a key that nobody knows', () => {
  it('is refused at the top and in a content', () => {
    expect(problems({ ...text, Content: 1, toUser: 'o2' })).toEqual([
      { path: 'Content', message: 'is not a known key' },
      { path: 'toUser', message: 'is not a known key' },
    ])
    expect(paths({ ...image, image: { media_id: 'a', mediaId: 'b' } })).toEqual(['image.mediaId'])
  })

  it('is refused when it is the content of another type', () => {
    expect(paths({ ...text, image: { media_id: 'a' } })).toEqual(['image'])
  })

  it('is pointed to thumb_url where one of WeChat’s pages says picurl', () => {
    const { thumb_url: picurl, ...rest } = link.link
    expect(problems({ ...link, link: { ...rest, picurl } })).toContainEqual({
      path: 'link.picurl',
      message: 'is not known: WeChat takes thumb_url',
    })
    expect(problems({ ...text, picurl })).toEqual([{ path: 'picurl', message: 'is not a known key' }])
  })

  it('is shown shortened when it is long', () => {
    const [path = ''] = paths({ ...text, ['k'.repeat(30_000)]: 1 })
    expect(path.length).toBeLessThan(100)
    expect(path).toMatch(/^k+…$/)
  })
})

describe('a text', () => {
  const content = (value: string) => ({ ...text, text: { content: value } })

  it('is measured in bytes of UTF-8', () => {
    const tooLong = [{ path: 'text.content', message: 'must be at most 2048 bytes of UTF-8' }]
    expect(problems(content('x'.repeat(2048)))).toEqual([])
    expect(problems(content('x'.repeat(2049)))).toEqual(tooLong)
    expect(problems(content('好'.repeat(682)))).toEqual([])
    expect(problems(content('好'.repeat(683)))).toEqual(tooLong)
    expect(problems(content('👋'.repeat(512)))).toEqual([])
    expect(problems(content(`${'👋'.repeat(512)}x`))).toEqual(tooLong)
  })

  it('may have another limit, in either direction', () => {
    const short = checkSendRequest(content('12345'), sendRequestSchema({ bytesMax: 4, isSplit: false }))
    expect(short).toMatchObject({ problems: [{ path: 'text.content', message: 'must be at most 4 bytes of UTF-8' }] })
    expect(checkSendRequest(content('x'.repeat(5000)), sendRequestSchema({ bytesMax: 5000, isSplit: false })).ok).toBe(
      true,
    )
  })
})

describe('times', () => {
  const time = Date.parse('2030-01-02T03:04:05.678Z')

  it.each(['2030-01-02T03:04:05.678Z', '2030-01-02T11:04:05.678+08:00', '2030-01-01T22:04:05.678-05:00', time])(
    'are taken as %j',
    (sendAt) => {
      expect(look(with_({ sendAt }))).toMatchObject({ value: { sendAt: time } })
    },
  )

  it.each([
    '2030-01-02T03:04:05',
    '2030-01-02',
    '2030-02-30T00:00:00Z',
    'tomorrow',
    '',
    '1893553445678',
    time + 0.5,
    -time,
    true,
    {},
  ])('are not taken as %j', (value) => {
    expect(paths(with_({ sendAt: value }))).toEqual(['sendAt'])
    expect(paths(with_({ expiresAt: value }))).toEqual(['expiresAt'])
  })

  it('tell seconds from milliseconds', () => {
    expect(problems(with_({ sendAt: Math.floor(time / 1000) }))).toEqual([
      { path: 'sendAt', message: 'must be milliseconds, not seconds' },
    ])
  })

  it.each(['1970-01-01T00:00:00Z', '2000-01-01T00:00:00Z', '2101-01-01T00:00:00Z', '9999-12-31T23:59:59Z'])(
    'have the same limits as text and as a number: %s',
    (value) => {
      expect(paths(with_({ expiresAt: Date.parse(value) }))).toEqual(['expiresAt'])
      expect(paths(with_({ expiresAt: value }))).toEqual(['expiresAt'])
    },
  )

  it('end after they begin', () => {
    const later = { path: 'expiresAt', message: 'must be later than sendAt' }
    expect(problems(with_({ sendAt: time, expiresAt: time }))).toEqual([later])
    expect(problems(with_({ sendAt: time, expiresAt: new Date(time - 1).toISOString() }))).toEqual([later])
    expect(problems(with_({ sendAt: time, expiresAt: time + 1 }))).toEqual([])
  })
})

describe('what stands beside a message', () => {
  it('has metadata of at most 4 KiB of JSON', () => {
    const ofBytes = (bytes: number) => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) })
    expect(problems(with_({ metadata: ofBytes(4096) }))).toEqual([])
    const refused = [{ path: 'metadata', message: 'must be at most 4096 bytes of JSON' }]
    expect(problems(with_({ metadata: ofBytes(4097) }))).toEqual(refused)
    expect(problems(with_({ metadata: { a: '好'.repeat(1400) } }))).toEqual(refused)
  })

  it.each(['a', 7, [], [1]])('has metadata that is an object, not %j', (metadata) => {
    expect(paths(with_({ metadata }))).toEqual(['metadata'])
  })

  it.each([
    ['idempotencyKey', ['', 'x'.repeat(201), 7]],
    ['ifUnsure', ['', 'resent', true]],
    ['traceparent', ['', '00-x', `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`, 7]],
  ])('is refused with its path: %s', (name, values) => {
    for (const value of values) expect(paths(with_({ [name]: value }))).toEqual([name])
  })

  it('has an idempotency key of 1 to 200 characters of any kind', () => {
    for (const idempotencyKey of ['x', '好'.repeat(200), 'a b/c:d'])
      expect(look(with_({ idempotencyKey })).ok).toBe(true)
  })
})

it('never repeats a value of the caller’s in a problem', () => {
  const secret = 'S3CRET'
  const anything = [secret, [secret], { [secret.toLowerCase()]: secret }, `${secret}\0`, `${secret}\ud800`]
  const names = [...Object.keys(text), 'text', 'sendAt', 'expiresAt', 'ifUnsure', 'traceparent', 'metadata', 'link']
  const inputs = anything.flatMap((value) => [
    value,
    ...names.map((name) => with_({ [name]: value })),
    { ...link, link: { title: value, description: value, url: value, thumb_url: value, picurl: value } },
    { ...image, image: { media_id: value } },
    with_({
      idempotencyKey: secret.repeat(100),
      touser: `${secret} ${secret}`,
      text: { content: secret.repeat(1000) },
    }),
    with_({ metadata: { a: () => secret, b: secret.repeat(2000) } }),
  ])
  const said = inputs.flatMap((input) => problems(input).map(({ message }) => message))
  expect(said.length).toBeGreaterThan(50)
  expect(said.filter((message) => message.includes(secret))).toEqual([])
})
