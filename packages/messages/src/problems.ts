/**
 * What is wrong with something that was handed in, as a list that stays short: a body can hold a problem every eleven bytes, and
 * an answer that named them all would be larger than the body.
 */

/** One reason why a request is refused. `path` is dotted, `''` for the request itself: `text.content`, `metadata.a.0`. */
export interface Problem {
  readonly path: string
  readonly message: string
}

/** As many are listed; the last one says how many more there are. */
export const PROBLEMS_MAX = 50

/** How many problems such a last one stands for. */
const rests = new WeakMap<Problem, number>()

/**
 * The first problems, at most `max` of them, or two where that is less. Where there are more, the last one says how many. Lists that
 * were limited before may be part of the list.
 */
export function limitProblems(problems: readonly Problem[], max: number = PROBLEMS_MAX): Problem[] {
  const told = problems.filter((problem) => !rests.has(problem))
  const total = countProblems(problems)
  if (total === told.length && total <= max) return told
  const shown = told.slice(0, Math.max(1, max - 1))
  const left = total - shown.length
  if (left === 0) return shown
  const rest = { path: '', message: `has ${left} more ${left === 1 ? 'problem' : 'problems'}` }
  rests.set(rest, left)
  return [...shown, rest]
}

/** How many there are, those included that a limited list only counts. */
export function countProblems(problems: readonly Problem[]): number {
  return problems.reduce((count, problem) => count + (rests.get(problem) ?? 1), 0)
}

/** The same problem as a part of something larger. */
export function underPath(problem: Problem, parent: string): Problem {
  const moved = { path: problem.path === '' ? parent : `${parent}.${problem.path}`, message: problem.message }
  const rest = rests.get(problem)
  if (rest !== undefined) rests.set(moved, rest)
  return moved
}
