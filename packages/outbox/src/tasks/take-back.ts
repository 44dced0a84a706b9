/**
 * Taking back what a task has replayed: a message that nobody has tried to send becomes the dead letter again that it was, the same id,
 * reason and history, and its replay has never been. The latest go first, so that a person who gets some of them gets the
 * earliest.
 */
import { recipientOf, replayIdOf } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { partsOf } from '../dead-letters/letter.ts'
import { letterBefore } from '../dead-letters/replayed.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface TakenBack {
  /** How many of the task's replays have not been looked at. */
  readonly left: number
  readonly refused: readonly { readonly id: string; readonly why: string }[]
}

/** Replays in one script. */
const BATCH = 50

/** Takes back the latest replays of a cancelled task, a batch of them. */
export async function takeBackBatch({ store, appid }: { store: Store; appid: string }, id: string): Promise<TakenBack> {
  const { redis } = store
  const keys = appKeys(appid)
  const letters = (await redis.lrange(keys.taskReplayed(id), String(-BATCH), '-1')).toReversed()
  const jobs = await Promise.all(letters.map((letter) => redis.hmget(keys.sendJob(replayIdOf(letter)), 'data', 'was')))
  const [left, ...answers] = await runScript<[number, ...(string | [string, string])[]]>(redis, {
    name: 'take-back',
    keys: [keys.task(id), keys.taskReplayed(id), keys.tasksOpen, keys.parkedLanes, keys.expiring],
    args: [
      id,
      keys.tasks,
      keys.sendJobs,
      keys.lanes,
      keys.deadJobs,
      keys.idempotency,
      ...letters.flatMap((letter, n) => argumentsFor(keys, letter, jobs[n] ?? [])),
    ],
  })
  const refused = letters.flatMap((letter, n) => {
    const answer = answers[n]
    return Array.isArray(answer) ? [{ id: letter, why: answer[1] }] : []
  })
  return { left, refused }
}

function argumentsFor(keys: AppKeys, id: string, [data, was]: readonly (string | null)[]): string[] {
  const before = letterBefore(parseJson(data), was)
  if (before === undefined) return [id, replayIdOf(id), '', '', '', '{}', '']
  const { letter, idem } = before
  const { dead } = partsOf(keys, letter)
  const more = JSON.stringify({ ...dead.more, message: letter.messageId, idem })
  return [id, replayIdOf(id), was ?? '', recipientOf(letter) ?? '', dead.letter, more, keys.ended(letter.messageId)]
}
