/** A producer that keeps so many messages waiting, until it is ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { appPrefix, SEND_QUEUE } from '@wechat-outbox/outbox/engine'
import { Queue } from 'bullmq'
import { messagesIn, type Shape } from '../messages.ts'
import { APP, openOutbox, sendAll } from '../sides.ts'

interface FeedOptions {
  readonly url: string
  readonly shape: Shape
  readonly waiting: number
  /** The number of the first message. */
  readonly from: number
}

const options = JSON.parse(process.argv[2] ?? '{}') as FeedOptions
const LOOK_EVERY_MS = 5
const CHUNK = 500

const outbox = await openOutbox(options.url)
const queue = new Queue(SEND_QUEUE, { prefix: appPrefix(APP), connection: { url: options.url }, skipMetasUpdate: true })
process.once('SIGTERM', () => process.exit(0))

for (let from = options.from; ; ) {
  const waiting = await queue.getWaitingCount()
  if (waiting >= options.waiting) {
    await sleep(LOOK_EVERY_MS)
    continue
  }
  for (const chunk of messagesIn(options.shape, { from, count: CHUNK }, CHUNK)) await sendAll(outbox, chunk)
  from += CHUNK
}
