// Before the first test file: BullMQ must be the one that our scripts know, or tests would fail of what an upgrade has moved
// without saying so; a Redis must be there (it may have to be downloaded, which several files would otherwise do at the same
// time); and the run must not outlive the `npx` or `pnpm` that started it.
import { endWithParent, findRedis } from '@wechat-outbox/sandbox'
import { checkScripts } from '../../packages/outbox/test/support/bullmq-scripts.ts'

/**
 * @throws with a message for people when BullMQ's scripts have changed, and when there is no Redis and none can be had: a
 * missing one fails, it never skips.
 */
export default async function setup(): Promise<() => void> {
  await checkScripts()
  await findRedis({ onProgress: (text) => void process.stderr.write(`${text}\n`) })
  // The workers hold a pipe from this process and end with it.
  const { stop } = await endWithParent(() => process.exit(1))
  return stop
}
