/** Reads letters for steps that are made of many at once. */
import { parseJson } from '../bullmq/job-hash.ts'
import { isWrongType } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'

export interface ReadLetter {
  /** Whatever stands in it; undefined where there is none. */
  readonly data: unknown
  readonly idem: string | undefined
}

/**
 * A key under which another program has put something else is read as if there were none, so that it holds up no other letter: the script
 * that comes to it answers what is wrong.
 */
export async function readLetterJob({ redis }: Store, appid: string, id: string): Promise<ReadLetter> {
  const [data, idem] = await unlessSpoilt(redis.hmget(appKeys(appid).deadJob(id), 'data', 'idem'), [])
  return { data: parseJson(data), idem: idem ?? undefined }
}

/** The same without what only a replay needs. */
export async function readLetterData({ redis }: Store, appid: string, id: string): Promise<unknown> {
  return parseJson(await unlessSpoilt(redis.hget(appKeys(appid).deadJob(id), 'data'), null))
}

async function unlessSpoilt<T>(read: Promise<T>, none: T): Promise<T> {
  try {
    return await read
  } catch (error) {
    if (!isWrongType(error)) throw error
    return none
  }
}
