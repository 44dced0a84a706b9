/** One line of the table: what was measured on our side, beside its baseline where it has one, and what it should be. */
import { ratiosOf, type Spread, spreadOf } from './stats.ts'

export interface Target {
  readonly is: 'at least' | 'at most'
  readonly value: number
}

export interface Row {
  /** Of the measurement, and which of its figures. */
  readonly name: string
  readonly what: string
  readonly unit: string
  readonly ours: Spread
  readonly theirs?: Spread
  /** Ours to theirs, formed within each turn. */
  readonly ratio?: Spread
  /** Of the ratio; of our own figure where there is no ratio. */
  readonly target?: Target
  readonly note?: string
}

export const atLeast = (value: number): Target => ({ is: 'at least', value })
export const atMost = (value: number): Target => ({ is: 'at most', value })

type Described = Pick<Row, 'name' | 'what' | 'unit' | 'target' | 'note'>

/** Both arrays hold one value per turn, in the order of the turns. */
export function compared(row: Described, ours: readonly number[], theirs: readonly number[]): Row {
  return { ...row, ours: spreadOf(ours), theirs: spreadOf(theirs), ratio: ratiosOf(ours, theirs) }
}

/** For figures whose own size counts, whatever the other side's is: the target is of our figure, and there is no ratio. */
export function beside(row: Described, ours: readonly number[], theirs: readonly number[]): Row {
  return { ...row, ours: spreadOf(ours), theirs: spreadOf(theirs) }
}

export function alone(row: Described, ours: readonly number[]): Row {
  return { ...row, ours: spreadOf(ours) }
}

/** Undefined where there is nothing to reach. */
export function isReached({ target, ratio, ours }: Row): boolean | undefined {
  if (target === undefined) return undefined
  const { median } = ratio ?? ours
  return target.is === 'at least' ? median >= target.value : median <= target.value
}
