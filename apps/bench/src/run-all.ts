/** Runs measurements, each in a world of its own: one after the other, because two at once would measure each other. */
import type { Measurement, Size } from './measurement.ts'
import type { Row } from './row.ts'
import { createWorld, type World } from './world.ts'

export interface Running {
  readonly rows: Promise<Row[]>
  /** Ends everything that was started. */
  close(): Promise<void>
}

export function runAll(measurements: readonly Measurement[], size: Size, atOnce: number): Running {
  const open = new Set<World>()
  const results = new Map<Measurement, Row[]>()
  const left = [...measurements]
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const world = createWorld()
      open.add(world)
      try {
        results.set(next, await next.run(world, size))
      } catch (error) {
        throw new Error(`${next.name} could not be measured`, { cause: error })
      } finally {
        await world.close()
        open.delete(world)
      }
    }
  }
  const all = Promise.all(Array.from({ length: atOnce }, work))
  return {
    rows: all.then(() => measurements.flatMap((each) => results.get(each) ?? [])),
    async close() {
      left.length = 0
      await Promise.all([...open].map((world) => world.close()))
    },
  }
}
