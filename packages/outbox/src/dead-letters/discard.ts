/** Removing dead letters for good: a single one, or a batch of a task's, by the same script. */
import type { DeadLetter, StatusReport } from '@wechat-outbox/messages'
import { reportOfDeadLetter } from '../producer/status.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { idInAcceptance } from './acceptance.ts'
import { indexesOf, personOf, wholeLetterIn } from './letter.ts'
import { readLetterData } from './read.ts'
import { batchOf, REFUSED_MS } from './replay.ts'

export type Discarded = 'discarded' | 'being-replayed' | 'unknown'

type Answer = Discarded | 'changed' | 'later' | ['failed', string]

/**
 * Removes a dead letter for good. `rememberMs`: for how long `status` still reports that it was, at least; and as long as its
 * message's idempotency key lives.
 */
export async function discardDeadLetter(
  store: Store,
  { appid, id }: { appid: string; id: string },
  rememberMs: number,
): Promise<Discarded> {
  const at = { store, appid, rememberMs }
  const { answers } = await discardBatch(at, { task: '', letters: [{ acceptance: '', id }] })
  const [answer = 'unknown'] = answers
  if (Array.isArray(answer)) throw new Error(answer[1])
  return answer === 'changed' || answer === 'later' ? 'unknown' : answer
}

export interface DiscardedOfTask {
  readonly refused: readonly { readonly id: string; readonly why: string }[]
  /** There is more to discard: again after so many ms; undefined when nothing is left. */
  readonly againMs: number | undefined
  /** Whether the task has nothing left to do now. */
  readonly ended: readonly string[]
}

interface DiscardOptions {
  readonly store: Store
  readonly appid: string
  readonly rememberMs: number
}

/** Discards the oldest letters of a task, a batch of them. */
export async function discardOfTask(
  options: DiscardOptions,
  task: { readonly id: string; readonly perSecond: number },
): Promise<DiscardedOfTask> {
  const { store, appid } = options
  const max = batchOf(task.perSecond)
  const found = await store.redis.zrange(appKeys(appid).taskLetters(task.id), '0', String(max - 1))
  const letters = found.map((acceptance) => ({ acceptance, id: idInAcceptance(acceptance) }))
  const { waitMs, ended, answers } = await discardBatch(options, { task: task.id, letters })
  const refused = letters.flatMap(({ id }, n) => {
    const answer = answers[n]
    return Array.isArray(answer) ? [{ id, why: answer[1] }] : []
  })
  if (refused.length > 0) return { refused, ended, againMs: REFUSED_MS }
  return { refused, ended, againMs: waitMs > 0 || found.length === max ? waitMs : undefined }
}

async function discardBatch(
  { store, appid, rememberMs }: DiscardOptions,
  { task, letters }: { task: string; letters: readonly { acceptance: string; id: string }[] },
): Promise<{ waitMs: number; ended: string[]; answers: Answer[] }> {
  const keys = appKeys(appid)
  const read = await Promise.all(letters.map(({ id }) => readLetterData(store, appid, id)))
  const [waitMs, ended, ...answers] = await runScript<[number, string[], ...Answer[]]>(store.redis, {
    name: 'discard',
    keys: [keys.deadFailed, keys.tasksOpen],
    args: [
      keys.deadJobs,
      keys.idempotency,
      rememberMs,
      keys.tasks,
      task,
      ...letters.flatMap(({ acceptance, id }, n) => {
        const data = read[n]
        const letter = wholeLetterIn(data)
        return [acceptance, personOf(data as DeadLetter) ?? '', id, ...partsOf(keys, { appid, id, letter })]
      }),
    ],
  })
  return { waitMs, ended, answers }
}

/** A job of this queue that another program has added may hold anything, and is discarded as well. */
function partsOf(keys: AppKeys, { appid, id, letter }: { appid: string; id: string; letter: DeadLetter | null }) {
  if (letter === null) {
    return [id, keys.ended(id), 'null', JSON.stringify([keys.deadByTime])]
  }
  const ended: StatusReport = { ...reportOfDeadLetter(appid, letter), status: 'discarded' }
  return [
    letter.messageId,
    keys.ended(letter.messageId),
    JSON.stringify(ended),
    JSON.stringify(indexesOf(keys, letter)),
  ]
}
