import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkSendRequest, sendRequestSchema } from '../src/index.ts'
import { inspectJson } from '../src/inspect.ts'
import { DEPTH_MAX, REQUEST_BYTES_MAX, VALUES_MAX } from '../src/limits.ts'

const schema = sendRequestSchema()
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) })
const tooLarge = `makes the request larger than ${REQUEST_BYTES_MAX} bytes`
const tooMany = `has more than ${VALUES_MAX} values`

describe('what is plain JSON', () => {
  it.each([
    null,
    true,
    '',
    'text 好 👋',
    -1.5,
    [],
    {},
    [1, [2, { a: null }]],
    { a: { b: ['c'] } },
    JSON.parse('{"toString":1}'),
  ])('passes: %j', (value) => {
    expect(inspectJson(value)).toEqual([])
  })

  it('passes without a prototype', () => {
    expect(inspectJson(Object.assign(Object.create(null), { a: 1 }))).toEqual([])
  })

  it('may be as deep as the limit and no deeper', () => {
    expect(inspectJson(nested(DEPTH_MAX))).toEqual([])
    expect(inspectJson(nested(DEPTH_MAX + 1))).toEqual([
      {
        path: Array(DEPTH_MAX + 1)
          .fill('a')
          .join('.'),
        message: `is nested more than ${DEPTH_MAX} levels deep`,
      },
    ])
  })

  it('may meet the same object twice', () => {
    const shared = { a: 1 }
    expect(inspectJson({ one: shared, two: [shared, shared] })).toEqual([])
  })
})

describe('a cycle', () => {
  it('ends with a problem', () => {
    const self: Record<string, unknown> = {}
    self['self'] = self
    const list: unknown[] = []
    list.push(list)
    for (const value of [self, list, { deep: [self] }]) {
      expect(inspectJson(value)).toMatchObject([{ message: expect.stringMatching(/nested more than/) }])
    }
  })

  it('that branches at every level ends just as soon', () => {
    const branching: Record<string, unknown> = {}
    for (let n = 0; n < 1000; n += 1) branching[`k${n}`] = branching
    expect(inspectJson(branching).length).toBeLessThanOrEqual(50)
    const list: unknown[] = []
    for (let n = 0; n < 1000; n += 1) list.push(list)
    expect(inspectJson(list).length).toBeLessThanOrEqual(50)
  })

  it('is a refused request, not a hang', () => {
    const metadata: Record<string, unknown> = {}
    metadata['again'] = [metadata]
    const request = { touser: 'o1', msgtype: 'text', text: { content: 'a' }, metadata }
    expect(checkSendRequest(request, schema)).toMatchObject({ ok: false })
  })
})

describe('what JSON cannot say', () => {
  it.each([
    ['a function', () => 1, /^must be JSON, not a function$/],
    ['a symbol', Symbol('a'), /^must be JSON, not a symbol$/],
    ['a BigInt', 1n, /^must be JSON, not a bigint$/],
    ['NaN', Number.NaN, /^must be a finite number$/],
    ['Infinity', -Infinity, /^must be a finite number$/],
    ['a Date', new Date(0), /^must be a plain object$/],
    ['a Map', new Map([['a', 1]]), /^must be a plain object$/],
    ['a Buffer', Buffer.from('a'), /^must be a plain object$/],
    ['a RegExp', /a/, /^must be a plain object$/],
    ['a boxed string', Object('a'), /^must be a plain object$/],
    ['an Error', new Error('a'), /^must be a plain object$/],
    ['an instance', new (class Thing {})(), /^must be a plain object$/],
    ['an own toJSON', { toJSON: () => 'other' }, /^must be JSON, not a function$/],
  ])('is refused: %s', (_name, value, message) => {
    expect(inspectJson({ list: [value] })).toMatchObject([
      { path: expect.stringMatching(/^list\.0/), message: expect.stringMatching(message) },
    ])
  })

  it('is refused for getters, which are never called', () => {
    let called = 0
    const getter = { get: () => (called += 1), enumerable: true }
    const value = { hidden: Object.defineProperty({}, 'secret', { ...getter, enumerable: false }) }
    expect(inspectJson(Object.defineProperty(value, 'open', getter))).toEqual([
      { path: 'hidden.secret', message: 'must be a value, not a getter' },
      { path: 'open', message: 'must be a value, not a getter' },
    ])
    expect(called).toBe(0)
  })

  it('is refused for a getter that stands in an array', () => {
    const list = Object.defineProperty([1, 2], 1, {
      get: () => {
        throw new Error('called')
      },
    })
    expect(inspectJson({ list })).toMatchObject([{ path: 'list.1' }])
  })

  it('is reported a bounded number of times', () => {
    const getters = Array.from({ length: 2000 }, (_, n) => [`k${n}`, { get: () => 1, enumerable: true }])
    expect(inspectJson(Object.defineProperties({}, Object.fromEntries(getters))).length).toBeLessThanOrEqual(50)
    expect(inspectJson(Array.from({ length: 2000 }, () => 1n)).length).toBeLessThanOrEqual(50)
  })
})

describe('text that is not well formed', () => {
  it.each([
    ['\ud800', /surrogate/],
    ['a\udc00b', /surrogate/],
    ['a\0b', /NUL/],
  ])('is refused as a value and as a key: %j', (bad, message) => {
    expect(inspectJson({ a: [bad] })).toMatchObject([{ path: 'a.0', message: expect.stringMatching(message) }])
    expect(inspectJson({ a: { [bad]: 1 } })).toMatchObject([{ message: expect.stringMatching(message) }])
  })

  it('passes as a whole pair', () => {
    expect(inspectJson({ '👋': '👋' })).toEqual([])
  })
})

describe('keys that change a prototype', () => {
  it.each(['__proto__', 'constructor', 'prototype'])('are refused at any depth: %s', (key) => {
    const text = `{"${key}":{"polluted":1}}`
    expect(inspectJson(JSON.parse(text))).toEqual([{ path: key, message: 'is not an allowed key' }])
    expect(inspectJson(JSON.parse(`{"a":[{"b":${text}}]}`))).toMatchObject([{ path: `a.0.b.${key}` }])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})

describe('size', () => {
  it('is refused once, wherever it lies', () => {
    expect(inspectJson('x'.repeat(10_000_000))).toEqual([{ path: '', message: tooLarge }])
    expect(inspectJson({ a: { b: 'x'.repeat(REQUEST_BYTES_MAX) } })).toEqual([{ path: 'a.b', message: tooLarge }])
    expect(inspectJson({ ['k'.repeat(REQUEST_BYTES_MAX + 1)]: 1 })).toMatchObject([{ message: tooLarge }])
    expect(inspectJson({ list: Array(5_000_000).fill('') })).toEqual([{ path: '', message: tooMany }])
  })

  it('of a sparse array costs what a full one costs', () => {
    const sparse: unknown[] = []
    sparse.length = 2 ** 32 - 1
    expect(inspectJson(sparse)).toEqual([{ path: '', message: tooMany }])
  })

  it('counts bytes, not characters', () => {
    expect(inspectJson('好'.repeat(Math.floor(REQUEST_BYTES_MAX / 3)))).toEqual([])
    expect(inspectJson('好'.repeat(Math.floor(REQUEST_BYTES_MAX / 3) + 1))).toEqual([{ path: '', message: tooLarge }])
  })

  it('of a key is shortened where it is shown', () => {
    const [problem] = inspectJson({ ['k'.repeat(1000)]: 1n })
    expect(problem?.path).toBe(`${'k'.repeat(64)}…`)
  })
})

describe('anything at all', () => {
  const anything = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    maxDepth: 6,
  })

  it('is inspected without throwing, and what passes survives JSON', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const problems = inspectJson(value)
        expect(problems.length).toBeLessThanOrEqual(60)
        if (problems.length === 0 && value !== undefined) expect(() => JSON.stringify(value)).not.toThrow()
      }),
      { numRuns: 500 },
    )
  })

  it('is checked without throwing, as a request and in every place of one', () => {
    const place = fc.constantFrom('touser', 'msgtype', 'text', 'metadata', 'sendAt', 'idempotencyKey', 'new')
    fc.assert(
      fc.property(anything, place, (value, name) => {
        expect(checkSendRequest(value, schema).ok).toBe(false)
        const request = { touser: 'o1', msgtype: 'text', text: { content: 'a' }, [name]: value }
        expect(typeof checkSendRequest(request, schema).ok).toBe('boolean')
      }),
      { numRuns: 500 },
    )
  })
})
