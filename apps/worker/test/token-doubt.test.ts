import { describe, expect, it } from 'vitest'
import { doubt, type Evidence } from '../src/token-doubt.ts'

/** A refused call of a token that served long before it, and of which its source has said nothing. */
const plain: Evidence = {
  call: { startedAt: 10_000, inARow: 1 },
  acceptedAt: 9000,
  standing: { ageMs: 3_600_000, repeats: 0, pauseMs: 0, repeatedMsAgo: undefined },
  canRepeat: true,
  now: 10_020,
}
const standing = (more: Partial<Evidence['standing']>) => ({ standing: { ...plain.standing, ...more } })
const inARow = (count: number) => ({ call: { startedAt: 10_000, inARow: count } })
const ask = { action: 'ask' }
const atOnce = { action: 'again', pauseMs: 0, everybody: false }

describe('a refused token', () => {
  it('is asked about when nothing speaks for it', () => {
    expect(doubt(plain)).toEqual(ask)
  })

  it('is used again while other calls are taken with it, but not for ever', () => {
    for (const count of [1, 2, 3]) expect(doubt({ ...plain, ...inARow(count), acceptedAt: 10_001 })).toEqual(atOnce)
    expect(doubt({ ...plain, ...inARow(4), acceptedAt: 10_001 })).toEqual(ask)
  })

  it('is used again twice on the word of its source, for a minute, and while that is the only one', () => {
    const word = standing({ repeatedMsAgo: 59_999, repeats: 1 })
    expect(doubt({ ...plain, ...word })).toEqual(atOnce)
    expect(doubt({ ...plain, ...word, ...inARow(2) })).toEqual({ action: 'again', pauseMs: 200, everybody: false })
    expect(doubt({ ...plain, ...word, ...inARow(3) })).toEqual(ask)
    expect(doubt({ ...plain, ...standing({ repeatedMsAgo: 60_000, repeats: 1 }) })).toEqual(ask)
    expect(doubt({ ...plain, ...standing({ repeatedMsAgo: 10, repeats: 2 }) })).toEqual(ask)
  })

  it('of the classic endpoint, which has no word to give, is used again if it was taken a moment ago', () => {
    const classic = { ...plain, canRepeat: false }
    expect(doubt(classic)).toEqual(atOnce)
    expect(doubt({ ...classic, ...inARow(2) })).toMatchObject({ action: 'again', pauseMs: 200 })
    expect(doubt({ ...classic, ...inARow(3) })).toEqual(ask)
    expect(doubt({ ...classic, acceptedAt: -60_000 })).toEqual(ask)
  })
})

describe('a young token that nobody has seen accepted', () => {
  const young = (ageMs: number, more: Partial<Evidence> = {}): Evidence => ({
    ...plain,
    acceptedAt: undefined,
    ...standing({ ageMs }),
    ...more,
  })
  const pausesOf = (evidence: (ageMs: number) => Evidence): unknown[] =>
    [0, 199, 200, 700, 1300, 2000, 2999, 3000].map((age) => {
      const doubted = doubt(evidence(age))
      return doubted.action === 'again' ? doubted.pauseMs : doubted.action
    })

  it('is used again as it gets older, and everybody waits for that', () => {
    expect(doubt(young(0))).toEqual({ action: 'again', pauseMs: 200, everybody: true })
    const word = { repeats: 1, repeatedMsAgo: 1 }
    expect(pausesOf((ageMs) => young(ageMs, standing({ ageMs, ...word })))).toEqual([
      ...[200, 1, 400, 500, 700, 1000, 1],
      // The word of its source speaks for it beyond that.
      0,
    ])
  })

  it('is asked about after the first pause, where that does not end it', () => {
    expect(pausesOf((age) => young(age))).toEqual([200, 1, ...Array.from({ length: 6 }, () => 'ask')])
    expect(pausesOf((age) => young(age, { canRepeat: false }))).toEqual([200, 1, 400, 500, 700, 1000, 1, 'ask'])
  })
})
