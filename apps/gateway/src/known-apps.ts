/** The apps of this Redis: those that any worker has ever served, and the one from the environment. */
import { appidSchema } from '@wechat-outbox/messages'
import { APPS_KEY, type Store } from '@wechat-outbox/outbox/engine'

/** Bull Board asks for every queue on each of its page's polls, and metrics for each at every scrape. */
export const APPS_MAX = 500

/** All of them, in order, the environment's first. Anybody may add to that set, so what is no appid is left out. */
export async function knownApps(store: Store, appid: string | undefined): Promise<string[]> {
  const found = (await store.redis.smembers(APPS_KEY)).filter((id) => appidSchema.safeParse(id).success)
  return [...new Set([...(appid === undefined ? [] : [appid]), ...found.toSorted()])]
}
