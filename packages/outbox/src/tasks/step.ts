/**
 * What a worker does for the tasks of an app: one round takes each of them a batch further. Every step can be repeated, and two workers
 * at once do it once, so there is nothing to lock and nothing to take over.
 */
import { discardOfTask } from '../dead-letters/discard.ts'
import { type Replayed, type ReplayOptions, replayOfTask, replayRetried } from '../dead-letters/replay.ts'
import { isWrongType, messageOf } from '../errors.ts'
import { selectLetters } from './select.ts'
import { takeBackBatch } from './take-back.ts'
import { type OpenTask, openTasks, readTask, type Task } from './task.ts'

export interface Problem {
  readonly what: string
  readonly error: string
  readonly id?: string
}

export interface Round {
  readonly replayed: Replayed['replayed']
  readonly problems: readonly Problem[]
  /** What a task has come to in this round: its letters have been found, or it has ended. */
  readonly told: readonly { readonly event: 'started' | 'ended'; readonly task: Task }[]
  /** When the next round is due, in ms; undefined: when somebody asks for more. */
  readonly againMs: number | undefined
}

const NOTHING: Round = { replayed: [], problems: [], told: [], againMs: undefined }

/** After a search that Redis has refused. */
const SELECT_AGAIN_MS = 1000
/** After a step that cannot be made because of what another program has written. */
const SPOILT_AGAIN_MS = 5000

/** @throws what Redis answers to a whole step */
export async function runRound(options: ReplayOptions): Promise<Round> {
  const unread: Problem[] = []
  const tasks = await openTasks(options.store, options.appid, (id, error) =>
    unread.push({ what: 'reading a task', error: messageOf(error), id }),
  )
  const searched = together(await Promise.all(tasks.filter(isSearching).map((task) => search(options, task))))
  // A letter that is found later may be older than those that are known, and its person's order is kept.
  if (searched.againMs === 0) return searched
  const replays = tasks.filter((task) => task.action === 'replay' && isRunning(task)).map(({ id }) => id)
  const spoilt = { ...NOTHING, problems: unread, againMs: unread.length > 0 ? SPOILT_AGAIN_MS : undefined }
  const rounds = [searched, spoilt, await alone({ what: 'replaying what was retried' }, () => single(options, replays))]
  for (const task of tasks) {
    const step = isRunning(task) ? batch : task.takingBack ? takeBack : undefined
    if (step === undefined) continue
    rounds.push(await alone({ what: 'carrying out a task', id: task.id }, () => step(options, task, replays)))
  }
  return together(rounds)
}

/** What another program has written holds up nobody else. What Redis answers otherwise it answers the others as well. */
async function alone(problem: { what: string; id?: string }, step: () => Promise<Round>): Promise<Round> {
  try {
    return await step()
  } catch (error) {
    if (!isWrongType(error) && !(error instanceof TypeError || error instanceof RangeError)) throw error
    return { ...NOTHING, problems: [{ ...problem, error: messageOf(error) }], againMs: SPOILT_AGAIN_MS }
  }
}

const isSearching = ({ cursor, status }: OpenTask): boolean => status === 'running' && cursor !== undefined
const isRunning = ({ cursor, status }: OpenTask): boolean => status === 'running' && cursor === undefined

function together(rounds: readonly Round[]): Round {
  const waits = rounds.flatMap(({ againMs }) => (againMs === undefined ? [] : [againMs]))
  return {
    replayed: rounds.flatMap(({ replayed }) => replayed),
    problems: rounds.flatMap(({ problems }) => problems),
    told: rounds.flatMap(({ told }) => told),
    againMs: waits.length === 0 ? undefined : Math.min(...waits),
  }
}

/** One that fails holds up nobody else. */
async function search(options: ReplayOptions, task: OpenTask): Promise<Round> {
  try {
    const result = await selectLetters(options, task)
    if (result === 'more' || result === 'changed') return { ...NOTHING, againMs: 0 }
    const events = result === 'ended' ? (['started', 'ended'] as const) : (['started'] as const)
    const now = await readTask(options.store, options.appid, task.id)
    return { ...NOTHING, told: events.map((event) => ({ event, task: now ?? task })), againMs: 0 }
  } catch (error) {
    const problem = { what: 'finding the letters of a task', error: messageOf(error), id: task.id }
    return { ...NOTHING, problems: [problem], againMs: SELECT_AGAIN_MS }
  }
}

async function single(options: ReplayOptions, replays: readonly string[]): Promise<Round> {
  return roundOf(options, 'replaying a dead letter', await replayRetried(options, replays))
}

async function batch(options: ReplayOptions, task: OpenTask, replays: readonly string[]): Promise<Round> {
  const one = { id: task.id, perSecond: task.perSecond ?? 0 }
  if (task.action === 'replay')
    return roundOf(options, 'replaying a dead letter', await replayOfTask(options, one, replays))
  return roundOf(options, 'discarding a dead letter', { replayed: [], ...(await discardOfTask(options, one)) })
}

async function roundOf({ store, appid }: ReplayOptions, what: string, result: Replayed): Promise<Round> {
  const { replayed, refused, ended, againMs } = result
  const tasks = await Promise.all(ended.map((id) => readTask(store, appid, id)))
  const told = tasks.flatMap((task) => (task === null ? [] : [{ event: 'ended' as const, task }]))
  return { replayed, told, againMs, problems: refused.map(({ id, why }) => ({ what, error: why, id })) }
}

const TAKE_BACK_AGAIN_MS = 1000

async function takeBack(options: ReplayOptions, task: OpenTask): Promise<Round> {
  const { left, refused } = await takeBackBatch(options, task.id)
  const problems = refused.map(({ id, why }) => ({ what: 'taking back a replay', error: why, id }))
  if (left > 0) return { ...NOTHING, problems, againMs: refused.length > 0 ? TAKE_BACK_AGAIN_MS : 0 }
  const now = await readTask(options.store, options.appid, task.id)
  return { ...NOTHING, problems, told: now === null ? [] : [{ event: 'ended', task: now }] }
}
