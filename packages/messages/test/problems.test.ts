import { describe, expect, it } from 'vitest'
import { countProblems, limitProblems, PROBLEMS_MAX } from '../src/index.ts'
import { VALUES_MAX } from '../src/limits.ts'
import { problems, with_ } from './support/requests.ts'

const many = (count: number) => Array.from({ length: count }, (_, n) => ({ path: `p${n}`, message: 'is wrong' }))

describe('a list of problems', () => {
  it('is told whole up to its limit', () => {
    expect(limitProblems(many(PROBLEMS_MAX))).toEqual(many(PROBLEMS_MAX))
  })

  it('ends with the number of those that are left out', () => {
    const limited = limitProblems(many(6000))
    expect(limited).toHaveLength(PROBLEMS_MAX)
    expect(limited.at(-1)).toEqual({ path: '', message: 'has 5951 more problems' })
    expect(countProblems(limited)).toBe(6000)
  })

  it('counts right when lists that were limited are put together', () => {
    const both = limitProblems([...many(3), ...limitProblems(many(100))])
    expect(both).toHaveLength(PROBLEMS_MAX)
    expect(countProblems(both)).toBe(103)
  })

  it('has its first problem in it however small the limit is', () => {
    expect(limitProblems(many(3), 0)).toEqual([many(1)[0], { path: '', message: 'has 2 more problems' }])
    expect(limitProblems(many(1), 0)).toEqual(many(1))
  })
})

describe('a request', () => {
  const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 0]))

  it('with unknown keys by the thousand is refused with a few of them', () => {
    const found = problems(with_(keys(2000)))
    expect(found).toHaveLength(PROBLEMS_MAX)
    expect(countProblems(found)).toBe(2000)
  })

  it('with more values than any message has is refused for their number alone', () => {
    expect(problems(with_(keys(6000)))).toEqual([{ path: '', message: `has more than ${VALUES_MAX} values` }])
    const full = { list: Array.from({ length: 2040 }, () => 1) }
    expect(problems(with_({ metadata: full }))).toEqual([])
  })
})
