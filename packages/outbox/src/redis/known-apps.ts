/** Which apps there are in a Redis. Anybody may write to the set that says so, hence what is no appid is left out. */
import { appidSchema } from '@wechat-outbox/messages'
import { APPS_KEY } from './keys.ts'
import type { Store } from './store.ts'

/** Every app that a process has ever served, in order, after `configured`: the one that its reader was configured with. */
export async function readKnownApps({ redis }: Store, configured: string | undefined): Promise<string[]> {
  const served = (await redis.smembers(APPS_KEY)).filter((id) => appidSchema.safeParse(id).success)
  return [...new Set([...(configured === undefined ? [] : [configured]), ...served.toSorted()])]
}
