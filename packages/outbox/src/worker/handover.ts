/**
 * One script per message. A worker that is busy would ask Redis three things between two calls: to settle the message that
 * WeChat has taken, to complete its job and fetch the next, and for the turn of that one. Each is a conversation, and the
 * conversations cost more than what is said in them. Here they are one step: a run that has delivered leaves its
 * settlement to the completion of its job, and a message that is fetched brings its turn along.
 *
 *   finish   left the lane + BullMQ's completion and fetch + turn      (`scripts/finish.lua`)
 *   fetch    BullMQ's fetch + turn                                     (`scripts/fetch.lua`)
 *
 * BullMQ goes on building the arguments of its own scripts and reading their answers; ours have them inside.
 *
 * A turn is a mark that a call may be open. So it comes along only when the call can follow at once, and never for what
 * takes more thought, nor for a message that must not be sent twice: the run of such a message asks for its turn itself
 * (`admit`), and a worker that died before has only fetched it.
 */
import { JOB_DATA_VERSION } from '@wechat-outbox/messages'
import { type Job, RedisQueueBackend } from 'bullmq'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { runScript, type ScriptCall } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface HandoverOptions {
  readonly appid: string
  readonly store: Store
  /** Whether a message that is fetched now can be sent at once. */
  readonly isReady: () => boolean
  /** How long a message that is not first waits before it looks by itself, in ms. */
  readonly parkMs: number
}

/** The turn of a message that came with its fetch. */
export interface Admission {
  readonly tries: number
  /** By `performance.now()`: the lease began no earlier. */
  readonly leaseFrom: number
}

/** What the completion of a delivered message has to know besides its job. */
export interface Leaving {
  readonly id: string
  readonly touser: string
  /** It had an `expiresAt`. */
  readonly expires: boolean
}

export interface Handover {
  /** Makes a Worker's backend fetch and complete in one step. */
  aboard<T extends RedisQueueBackend>(backend: T): T
  /** The turn of the message that a run begins with, once. */
  admissionOf(id: string, token: string): Admission | undefined
  /** The run that holds `token` has delivered its message, and returns now. */
  leave(token: string, leaving: Leaving): void
}

type Parts = (string | number | Buffer)[]
type Fetched = [unknown[] | 0, string, ...unknown[]] | number | null

export function createHandover({ appid, store, isReady, parkMs }: HandoverOptions): Handover {
  const keys = appKeys(appid)
  // By lock token: whoever holds one has one message at a time.
  const admitted = new Map<string, Admission & { readonly id: string }>()
  const leavings = new Map<string, Leaving>()

  async function run(token: string, call: ScriptCall): Promise<Fetched> {
    const connection = store.connection()
    const leaseFrom = performance.now()
    let id = ''
    try {
      const [fetched, tries] = await runScript<[Fetched, string]>(store.redis, call)
      if (Array.isArray(fetched) && fetched[0] !== 0) id = fetched[1]
      if (tries !== '') admitted.set(token, { id, tries: Number(tries), leaseFrom })
      return fetched
    } finally {
      if (store.connection() !== connection) await giveBack(token, id)
    }
  }

  /** The client has asked again after its connection was lost. What stays as it is, the look for stalled jobs finds. */
  async function giveBack(token: string, known: string): Promise<void> {
    const call = {
      name: 'give-back',
      keys: [keys.sendActive, keys.sendWait, keys.sendMarker],
      args: [keys.sendJobs, token, known],
    } as const
    await runScript(store.redis, call).catch(() => undefined)
  }

  return {
    aboard(backend) {
      const bullmq = RedisQueueBackend.prototype
      return Object.assign(backend, {
        moveToActive(token: string, name?: string) {
          const own = isReady()
            ? running(backend, (parts) => run(token, fetchCall(keys, parts, { token, parkMs })))
            : backend
          return bullmq.moveToActive.call(own, token, name)
        },
        async moveToCompleted(job: Job, ...rest: Completion) {
          const [, , token] = rest
          const leaving = leavings.get(token)
          if (leaving === undefined || leaving.id !== job.id) return bullmq.moveToCompleted.call(backend, job, ...rest)
          const at = { ...leaving, token, parkMs, isReady: isReady() }
          const own = running(backend, (parts) => run(token, finishCall(keys, parts, at)))
          const completed = await bullmq.moveToCompleted.call(own, job, ...rest)
          // Only now: BullMQ tries again when the connection fails.
          leavings.delete(token)
          return completed
        },
      })
    },
    admissionOf(id, token) {
      const admission = admitted.get(token)
      admitted.delete(token)
      return admission?.id === id ? admission : undefined
    },
    leave: (token, leaving) => void leavings.set(token, leaving),
  }
}

type Completion = Parameters<RedisQueueBackend['moveToCompleted']> extends [unknown, ...infer Rest] ? Rest : never

/** How many keys BullMQ's two scripts take; what follows are their arguments. */
const FETCH_KEYS = 11
const FINISH_KEYS = 14

interface Call {
  readonly token: string
  readonly parkMs: number
}

function fetchCall(keys: AppKeys, parts: Parts, { token, parkMs }: Call): ScriptCall {
  return {
    name: 'fetch',
    keys: [...texts(parts.slice(0, FETCH_KEYS)), keys.heldLanes, keys.hold],
    args: [...parts.slice(FETCH_KEYS), token, keys.lanes, parkMs, JOB_DATA_VERSION],
  }
}

function finishCall(keys: AppKeys, parts: Parts, at: Call & Leaving & { isReady: boolean }): ScriptCall {
  const { lane, heldLanes, faultsInARow, expiring, hold, lanes } = keys
  const flags = [at.expires ? 1 : 0, at.isReady ? 1 : 0]
  return {
    name: 'finish',
    keys: [...texts(parts.slice(0, FINISH_KEYS)), lane(at.touser), heldLanes, faultsInARow, expiring, hold],
    // BullMQ leaves out its last argument where it has none.
    args: [
      ...parts.slice(FINISH_KEYS).map((part) => part ?? ''),
      at.token,
      ...flags,
      lanes,
      at.parkMs,
      JOB_DATA_VERSION,
    ],
  }
}

/** The same backend, whose next command is run by other hands. */
function running(backend: RedisQueueBackend, run: (parts: Parts) => unknown): RedisQueueBackend {
  const own = Object.create(backend) as RedisQueueBackend
  own.execCommand = (_client: unknown, _command: string, parts: Parts): unknown => run(parts)
  return own
}

const texts = (parts: Parts): string[] => parts.map(String)
