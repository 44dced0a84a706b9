import { setImmediate as nextImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { inPieces, inTurn } from '../src/turns.ts'

function burn(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** Runs it and returns how often the event loop has turned meanwhile. */
async function turnsOf(run: () => Promise<unknown>): Promise<{ count: () => number; over: Promise<void> }> {
  let turns = 0
  let isOver = false
  const over = run().then(() => void (isOver = true))
  void (async () => {
    while (!isOver) {
      await nextImmediate()
      turns += 1
    }
  })()
  return { count: () => turns, over }
}

it('gives everybody else a turn between two pieces, however many work at the same time', async () => {
  let turns = 0
  const pieces: number[] = []
  const work = (): void => {
    pieces.push(turns)
    burn(11)
  }
  const { over, count } = await turnsOf(() =>
    Promise.all(
      Array.from({ length: 10 }, () =>
        inPieces([1, 2], () => {
          turns = count()
          work()
        }),
      ),
    ),
  )
  await over
  expect(pieces.length).toBe(20)
  expect(new Set(pieces).size).toBe(20)
})

it('does in one turn what takes little, in the order in which it was asked for', async () => {
  const order: number[] = []
  let turns = 0
  const { over, count } = await turnsOf(() =>
    Promise.all(
      [1, 2, 3].map((n) =>
        inTurn(() => {
          order.push(n)
          turns = count()
        }),
      ),
    ),
  )
  await over
  expect(order).toEqual([1, 2, 3])
  expect(turns).toBeLessThan(2)
})

it('keeps results in order, and rejects with what the work throws', async () => {
  expect(await inPieces([1, 2, 3], (n) => n * 2)).toEqual([2, 4, 6])
  await expect(
    inPieces([1], () => {
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
})
