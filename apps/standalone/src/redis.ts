/** The Redis of this machine, for both modes: kept in a folder, ended with this process, and its absence an end too. */
import { type LocalRedis, startLocalRedis } from '@wechat-outbox/sandbox'
import { shownPath } from './options.ts'
import type { Stack } from './stack.ts'
import type { Stop } from './stop.ts'

export interface RedisOptions {
  readonly dir: string
  readonly say: (line: string) => void
  readonly opened: Stack
  readonly stop: Stop
}

/** @throws Error when none can be had, or another one works in the folder */
export async function openLocalRedis({ dir, say, opened, stop }: RedisOptions): Promise<LocalRedis> {
  const redis = await startLocalRedis({ dir, onProgress: say }).catch((error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith('Another Redis'))) throw error
    throw new Error(`${error.message} Is \`start\` running already? --data-dir gives a second one its own folder.`)
  })
  let closing = false
  void redis.exited.then(() => {
    if (!closing) stop.fail(new Error(`Redis has ended; its last words are in ${shownPath(`${dir}/redis.log`)}`))
  })
  opened.add(redis, () => {
    closing = true
    return redis.stop()
  })
  stop.signal.throwIfAborted()
  return redis
}
