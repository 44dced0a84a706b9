import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  deadLetterIdOf,
  idTimeOf,
  isDeadLetterId,
  isMessageId,
  newMessageId,
  partIdOf,
  replayIdOf,
  replayOriginOf,
} from '../src/index.ts'

describe('newMessageId', () => {
  it('makes ids that look like ids and never meet', () => {
    const ids = Array.from({ length: 10_000 }, newMessageId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^m-[0-9A-Za-z]{21}$/)
    expect(ids.every(isMessageId)).toBe(true)
    expect(ids.some(isDeadLetterId)).toBe(false)
  })

  describe('whose ids begin with their time', () => {
    afterEach(() => vi.useRealTimers())

    it('makes each greater than the one before, within a millisecond and when the clock is set back', () => {
      // Later than what the tests before this one have made ids at.
      const ms = Date.now() + 60_000
      vi.useFakeTimers({ toFake: ['Date'], now: ms })
      const ids = Array.from({ length: 5000 }, newMessageId)
      vi.setSystemTime(ms - 1000)
      ids.push(newMessageId())
      vi.setSystemTime(ms + 1)
      ids.push(newMessageId())
      expect(ids.toSorted()).toEqual(ids)
      expect(new Set(ids.slice(0, -1).map((id) => idTimeOf(id)?.ms))).toEqual(new Set([ms]))
      expect(idTimeOf(ids.at(-1) ?? '')?.ms).toBe(ms + 1)
    })

    it('tells the time to whatever derives from them, and none of ids that were random', () => {
      const id = newMessageId()
      const time = idTimeOf(id)
      expect(time?.ms).toBeGreaterThan(Date.now() - 60_000)
      const part = partIdOf(id, 12)
      for (const derived of [deadLetterIdOf(id), replayIdOf(deadLetterIdOf(id)), part, deadLetterIdOf(`${part}-3`)])
        expect(idTimeOf(derived), derived).toEqual(time)
      const random = `m-${'0'.repeat(20)}`
      for (const old of [random, partIdOf(random, 2), partIdOf(random, 12), `${random}-1`, 'm-', 'm-hand', 'd-ü'])
        expect(idTimeOf(old), old).toBeUndefined()
    })
  })
})

describe('derived ids', () => {
  it('follow a message through deaths and replays', () => {
    expect(deadLetterIdOf('m-4fZ')).toBe('d-4fZ')
    expect(replayIdOf('d-4fZ')).toBe('m-4fZ-1')
    expect(deadLetterIdOf('m-4fZ-1')).toBe('d-4fZ-1')
    expect(replayIdOf('d-4fZ-1')).toBe('m-4fZ-2')
    expect(replayIdOf('d-4fZ-9')).toBe('m-4fZ-10')
  })

  it('lead back from a replay to its dead letter, and from nothing else', () => {
    for (const letter of ['d-4fZ', 'd-4fZ-1', 'd-4fZ-9', 'd-my.job'])
      expect(replayOriginOf(replayIdOf(letter))).toBe(letter)
    for (const id of ['m-4fZ', 'm-4fZ-0', 'm-4fZ-01', 'd-4fZ-1', 'm--1', 'm-'])
      expect(replayOriginOf(id), id).toBeUndefined()
  })

  it('are all different and well formed in a chain of replays', () => {
    let message = newMessageId()
    const seen = new Set<string>()
    for (let n = 0; n < 1000; n += 1) {
      const letter = deadLetterIdOf(message)
      expect(isMessageId(message) && isDeadLetterId(letter)).toBe(true)
      seen.add(message).add(letter)
      message = replayIdOf(letter)
    }
    expect(seen.size).toBe(2000)
  })

  it('are the same whenever they are derived, and differ where messages differ', () => {
    const id = fc.stringMatching(/^m-[0-9A-Za-z]{20,21}$/)
    fc.assert(
      fc.property(id, id, (one, other) => {
        expect(replayIdOf(deadLetterIdOf(one))).toBe(replayIdOf(deadLetterIdOf(one)))
        if (one === other) return
        expect(deadLetterIdOf(one)).not.toBe(deadLetterIdOf(other))
        expect(replayIdOf(deadLetterIdOf(one))).not.toBe(replayIdOf(deadLetterIdOf(other)))
      }),
    )
  })

  it('keep the id of a job that somebody added by hand, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        fc.pre(!id.startsWith('m-'))
        expect(deadLetterIdOf(id)).toBe(`d-${id}`)
        const replayed = replayIdOf(deadLetterIdOf(id))
        expect(replayed.startsWith('m-')).toBe(true)
        expect(deadLetterIdOf(replayed)).not.toBe(deadLetterIdOf(id))
      }),
    )
  })

  it('keep counting where a number is too long to be a count of ours', () => {
    expect(replayIdOf('d-a-999999999')).toBe('m-a-1000000000')
    expect(replayIdOf('d-a-1000000000')).toBe('m-a-1000000000-1')
  })
})

describe('isMessageId and isDeadLetterId', () => {
  it.each(['', 'm-', 'm', 'd-a', 'M-a', 'm-a:b', 'm-a b', 'm--a', 'm-a\n', `m-${'x'.repeat(65)}`, 'm-ü', 'm-../a'])(
    'refuse %j as a message',
    (id) => expect(isMessageId(id)).toBe(false),
  )

  it('take ours', () => {
    expect([isMessageId('m-a-1'), isDeadLetterId('d-a-1'), isDeadLetterId('m-a'), isDeadLetterId('d-a\n')]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
