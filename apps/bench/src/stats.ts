/**
 * Numbers of a noisy machine. What is compared was measured in turns (A B A B …), so a ratio is formed within each turn,
 * where both sides met the same neighbours, and only then summarised.
 */

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  /** How many values there were. */
  readonly runs: number
}

/** @throws Error for no values at all: a measurement that measured nothing must not look like one */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (min === undefined || max === undefined) throw new Error('nothing was measured')
  return { median: percentile(sorted, 0.5), min, max, runs: sorted.length }
}

/** Turn by turn. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): Spread {
  return spreadOf(ours.map((value, turn) => value / (theirs[turn] ?? Number.NaN)))
}

/** Between the two nearest of values that are sorted. */
export function percentile(sorted: readonly number[], fraction: number): number {
  const at = (sorted.length - 1) * fraction
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

/** Runs every side once per turn, in the order given. */
export async function inTurns<Side extends string, T>(
  turns: number,
  sides: readonly Side[],
  measure: (side: Side) => Promise<T>,
): Promise<Record<Side, T[]>> {
  const measured = Object.fromEntries(sides.map((side) => [side, [] as T[]])) as Record<Side, T[]>
  for (let turn = 0; turn < turns; turn += 1) {
    for (const side of sides) measured[side].push(await measure(side))
  }
  return measured
}
