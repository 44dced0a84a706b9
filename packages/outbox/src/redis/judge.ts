/**
 * Steps that look first and then change several things with BullMQ's own commands. A command that refuses inside a MULTI
 * does not stop the others, so the looking is done under WATCH: if anything that was looked at has changed meanwhile, the
 * transaction does nothing and the step looks again.
 *
 * WATCH belongs to a connection, so such a store serves nobody else, and one step at a time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { OutboxError } from '../errors.ts'
import { execute, type Store, type Transaction } from './store.ts'

export interface Judged<T> {
  /** What to do, or nothing at all. */
  readonly build?: (multi: Transaction) => void
  readonly result: T
}

export interface Judge {
  /** Looks (through the store it is given) and says what to do; repeated while others change what it looked at. */
  step<T>(keys: readonly string[], look: (store: Store) => Promise<Judged<T>>): Promise<T>
}

/** A key that changes twenty times under our eyes is not ours to change now. */
const LOOKS_MAX = 20

/**
 * `open` gives a store on a connection that nothing else uses, and that neither queues commands while it is away nor
 * repeats them afterwards (`produce`): either would carry a transaction over to a connection that watches nothing.
 */
export function createJudge(open: () => Promise<Store>): Judge {
  let last: Promise<unknown> = Promise.resolve()
  return {
    step(keys, look) {
      const run = last.then(async () => runStep(await open(), keys, look))
      last = run.catch(() => undefined)
      return run
    },
  }
}

async function runStep<T>(
  store: Store,
  keys: readonly string[],
  look: (store: Store) => Promise<Judged<T>>,
): Promise<T> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const connection = store.connection()
    await store.redis.watch([...keys])
    let judged: Judged<T>
    try {
      judged = await look(store)
    } catch (error) {
      await store.redis.unwatch().catch(() => undefined)
      throw error
    }
    if (judged.build === undefined) {
      await store.redis.unwatch()
      return judged.result
    }
    const multi = store.multi()
    judged.build(multi)
    // What was watched was watched on a connection; on another one the transaction would have no condition.
    if (store.connection() !== connection) continue
    if ((await execute(multi)) !== null) return judged.result
    // Two that look at the same key in step would go on disturbing each other.
    await sleep(Math.random() * Math.min(looks, 5) * 4)
  }
  throw new OutboxError('WXO_UNAVAILABLE', 'what was to be changed kept changing')
}
