/** What a measurement is. Each has a world of its own, so none meets what another has left. */
import type { Row } from './row.ts'
import type { World } from './world.ts'

export interface Size {
  /** Only to see that everything runs: the figures mean nothing. */
  readonly quick: boolean
  /** With this share of the messages: for a machine that is too busy for all of them. */
  readonly part: number
  /** How often each side is measured. */
  readonly turns: number
  /** Tells a person who waits how far it is. */
  readonly progress: (text: string) => void
}

export interface Measurement {
  readonly name: string
  /** Names of the rows that it makes, whatever the figures are. */
  readonly rows: readonly string[]
  /** What it measures may not be there; then it makes no rows. */
  readonly isOptional?: boolean
  readonly run: (world: World, size: Size) => Promise<Row[]>
}

/** So many, or in a quick run so many. */
export const pick = ({ quick, part }: Size, full: number, small: number): number =>
  quick ? small : Math.ceil(full * part)
