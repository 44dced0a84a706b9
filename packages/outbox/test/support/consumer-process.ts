/**
 * A consumer in a process of its own, to be killed: every message dies, unless the argument says `deliver`
 * or `hold`, which answers never.
 */

import { sharedWaitFor } from '../../src/bullmq/shared-wait.ts'
import { connectRedis } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import { createConsumer } from '../../src/worker/consumer.ts'
import { consumerDefaults, delivering, dies, memberOf } from './world.ts'

const [url = '', mode = 'die'] = process.argv.slice(2)
const redis = connectRedis(url, 'work')
redis.on('error', () => undefined)
const store = await openStore(redis)
const deliver = delivering([])
const consumer = createConsumer({
  ...consumerDefaults(store),
  sharedWait: sharedWaitFor(redis, store.clock),
  deliver: async (run) => {
    if (mode === 'deliver') return deliver(run)
    if (mode === 'hold') {
      process.stdout.write('holding\n')
      await new Promise(() => undefined)
    }
    const turn = await run.admit(memberOf(run))
    return turn.kind === 'go' ? dies() : turn
  },
  report: {
    dead: () => undefined,
    replayed: () => undefined,
    task: () => undefined,
    windowDisagreed: () => undefined,
    expired: () => undefined,
    problem: () => undefined,
    stuck: () => undefined,
    suspended: () => undefined,
    resumed: () => undefined,
    stillHeld: () => undefined,
    unsettled: () => undefined,
    settledAgain: () => undefined,
  },
})
await consumer.run()
process.stdout.write('running\n')
