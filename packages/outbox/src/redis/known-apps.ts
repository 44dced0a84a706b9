/**
 * Which apps there are in a Redis, and which of them a worker serves now. A message for an app with a typing error in its
 * name is stored like any other and waits for ever, so there are two lists: the apps that workers have served, and the
 * apps that producers have stored messages for. What is in the second and is served by nobody can be reported.
 *
 * Anybody may write to these lists, hence what is no appid is left out.
 */
import { appidSchema } from '@wechat-outbox/messages'
import { readBacklog } from '../lanes/backlog.ts'
import { APPS_KEY, appKeys, STORED_APPS_KEY } from './keys.ts'
import type { Store } from './store.ts'

/** Whoever reads the lists shows no more than these, the latest ones. */
const UNSERVED_MAX = 500

const isAppid = (text: string): boolean => appidSchema.safeParse(text).success

/** Every app that a worker has ever served, in order, after `configured`: the one that its reader was configured with. */
export async function readKnownApps({ redis }: Store, configured: string | undefined): Promise<string[]> {
  const served = (await redis.smembers(APPS_KEY)).filter(isAppid)
  return [...new Set([...(configured === undefined ? [] : [configured]), ...served.toSorted()])]
}

/** Those of the apps that a worker serves now, or did a minute and a half ago. */
export async function readServed({ redis }: Store, appids: readonly string[]): Promise<ReadonlySet<string>> {
  const answers = await Promise.all(appids.map((appid) => redis.exists(appKeys(appid).served)))
  return new Set(appids.filter((_, index) => answers[index] === 1))
}

/** An app for which something is stored although no worker serves it. */
export interface UnservedApp {
  readonly appid: string
  /** How many messages and replays wait for a worker. */
  readonly waiting: number
  /** False: no worker has ever served it, so that its appid may be a typing error. */
  readonly wasServed: boolean
}

/** Every app for which something is stored and that no worker serves now; 500 at most. */
export async function readUnserved(store: Store): Promise<UnservedApp[]> {
  const [known, stored] = await Promise.all([
    readKnownApps(store, undefined),
    store.redis.zrevrange(STORED_APPS_KEY, 0, UNSERVED_MAX - 1),
  ])
  const everServed = new Set(known)
  const appids = [...new Set([...known, ...stored.filter(isAppid)])]
  const served = await readServed(store, appids)
  const left = appids.filter((appid) => !served.has(appid))
  const counts = await Promise.all(left.map((appid) => countWaiting(store, appid)))
  return left
    .map((appid, index) => ({ appid, waiting: counts[index] ?? 0, wasServed: everServed.has(appid) }))
    .filter(({ waiting }) => waiting > 0)
    .slice(0, UNSERVED_MAX)
}

async function countWaiting(store: Store, appid: string): Promise<number> {
  // For the age of the oldest, which is not asked for here, no message is old enough.
  const { send, deadLetter } = await readBacklog(store, appid, 0)
  return send.waiting + send.active + send.delayed + send.failed + deadLetter.waiting + deadLetter.active
}

/** The same for a person, in one sentence. */
export function unservedSentence({ appid, waiting, wasServed }: UnservedApp): string {
  const wait = waiting === 1 ? '1 message waits' : `${waiting} messages wait`
  return wasServed
    ? `No worker serves ${appid} now, and ${wait} for one.`
    : `No worker has ever served ${appid}, and ${wait} for one. Is the appid right?`
}
