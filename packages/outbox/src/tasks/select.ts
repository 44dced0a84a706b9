/**
 * Finds the letters of a task, in pages: those that a filter means and that had died when the task was started, or those that were named.
 * They are put in order of acceptance, and only when all have been found does the first have its turn. How far the search
 * is stands in the task, so that any worker goes on with it.
 */
import type { DeadLetterFilter } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { acceptanceOf } from '../dead-letters/acceptance.ts'
import { type Cursor, findIn, findLetters, START } from '../dead-letters/find.ts'
import { personOf } from '../dead-letters/letter.ts'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import type { OpenTask } from './task.ts'

/** One page of the search. Returns what has become of it: `changed` where another worker was faster. */
export async function selectLetters(
  { store, appid }: { store: Store; appid: string },
  task: OpenTask,
): Promise<'more' | 'selected' | 'ended' | 'changed'> {
  const { id, filter, cursor = '', startedAtMs } = task
  const keys = appKeys(appid)
  const from = (parseJson(cursor) as Cursor | undefined) ?? START
  const page =
    filter === null
      ? await findIn(store, appid, { indexes: [keys.taskGiven(id)], from, matches: () => true })
      : await findLetters(store, appid, { filter: upTo(filter, startedAtMs), from })
  const next = page.next === undefined ? '' : JSON.stringify(page.next)
  return runScript(store.redis, {
    name: 'task-select',
    keys: [keys.task(id), keys.taskLetters(id), keys.taskLettersOf(id), keys.tasksOpen, keys.taskGiven(id)],
    args: [
      id,
      keys.tasks,
      cursor,
      next,
      filter?.limit ?? 0,
      ...page.found.flatMap((one) => [acceptanceOf(one.id, one.letter), personOf(one.letter) ?? '']),
    ],
  })
}

/** What dies later is not meant. */
function upTo(filter: DeadLetterFilter, ms: number): DeadLetterFilter {
  return { ...filter, until: Math.min(filter.until ?? ms, ms) }
}
