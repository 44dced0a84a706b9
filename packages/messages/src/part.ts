/**
 * The messages that a long text was cut into. Each is a message like any other, with an id, tries and an end of its own; that they
 * belong together stands in each. The first has the id that the producer was told, and the ids of the others follow from it:
 *
 *   m-4fZ…   m-4fZ…p2   m-4fZ…p3
 */
import { z } from 'zod'
import { PARTS_MAX } from './limits.ts'

export interface Part {
  /** From 1 on. */
  readonly n: number
  readonly of: number
  /** The id of the first. */
  readonly first: string
}

export const partSchema = z.object({
  n: z.int().min(1).max(PARTS_MAX),
  of: z.int().min(1).max(PARTS_MAX),
  first: z.string().max(80),
})

export function partIdOf(first: string, n: number): string {
  return n === 1 ? first : `${first}p${n}`
}

/** The ids of all of them, in their order. */
export function partIdsOf({ first, of }: Part): string[] {
  return Array.from({ length: of }, (_, index) => partIdOf(first, index + 1))
}
