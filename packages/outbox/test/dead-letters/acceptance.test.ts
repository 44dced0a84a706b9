import { deadLetterIdOf, newMessageId, partIdOf } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { acceptanceOf, idInAcceptance } from '../../src/dead-letters/acceptance.ts'
import { reasonOf, text } from '../support/world.ts'

const AT = 1_790_000_000_000

interface Given {
  readonly id: string
  readonly acceptedAt?: number
  readonly deadAt?: number
  readonly message?: object
}

const letter = ({ id, acceptedAt = AT, deadAt = AT + 60_000, message = {} }: Given) => ({
  id: deadLetterIdOf(id),
  letter: {
    v: 1,
    messageId: id,
    message: { v: 1, ...text('o-1'), ...message },
    reason: reasonOf(),
    attempts: [],
    acceptedAt,
    deadAt,
  } as const,
})

/** That these, given in any order, are sorted as they stand here. */
function sorts(...letters: readonly Given[]): void {
  const orders = letters.map((given) => {
    const made = letter(given)
    return acceptanceOf(made.id, made.letter)
  })
  expect(orders.toReversed().toSorted()).toEqual(orders)
}

describe('letters are sorted', () => {
  it('by the time of acceptance, whenever they died and whatever their ids are', () => {
    sorts(
      { id: 'm-zzzzzzzzzzzzzzzzzzzz', acceptedAt: AT - 1, deadAt: AT + 90_000 },
      { id: 'm-aaaaaaaaaaaaaaaaaaaa', acceptedAt: AT, deadAt: AT + 1 },
      { id: 'm-hand', acceptedAt: AT + 1, deadAt: AT + 1 },
    )
  })

  it('within a millisecond by their ids, and in order of death where an earlier version has made the ids', () => {
    const [first, second, third] = [newMessageId(), newMessageId(), newMessageId()]
    sorts({ id: first, deadAt: AT + 3 }, { id: second, deadAt: AT + 1 }, { id: third, deadAt: AT + 2 })
    sorts({ id: `m-z${'0'.repeat(19)}`, deadAt: AT + 1 }, { id: `m-a${'0'.repeat(19)}`, deadAt: AT + 2 })
  })

  it('parts of a text by their number', () => {
    const of = 12
    for (const id of [newMessageId(), 'm-00000000000000000000']) {
      const parts = Array.from({ length: of }, (_, n) => ({
        id: partIdOf(id, n + 1),
        message: { part: { n: n + 1, of, first: id } },
      }))
      sorts(...parts)
    }
  })

  it('from their `sendAt` on, where they had one', () => {
    sorts({ id: newMessageId(), acceptedAt: AT + 5 }, { id: newMessageId(), message: { sendAt: AT + 10 } })
    sorts({ id: newMessageId(), message: { sendAt: AT - 10 } }, { id: newMessageId(), acceptedAt: AT + 5 })
  })

  it('at their first place when they have been replayed and died again', () => {
    const [first, second] = [newMessageId(), newMessageId()]
    const now = Date.now()
    sorts(
      { id: `${first}-1`, acceptedAt: now + 60_000, message: { replayOf: deadLetterIdOf(first) } },
      { id: second, acceptedAt: now + 1000 },
    )
  })

  it('and not refused, whatever stands in them', () => {
    for (const given of [undefined, null, {}, { acceptedAt: -5 }, { acceptedAt: 1e300, deadAt: Number.NaN }, 7, 'x']) {
      const order = acceptanceOf('d-a:b', given as never)
      expect(order).toMatch(/^\d{16}:\d{16}:\d{3}:d-a:b$/)
      expect(idInAcceptance(order)).toBe('d-a:b')
    }
  })
})
