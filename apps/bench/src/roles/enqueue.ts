/** A producer that stores messages as fast as one way of calling allows, and tells how long that took. */
import { messageAt, messagesIn } from '../messages.ts'
import { addAll, openPlainQueue } from '../plain.ts'
import { openOutbox, type Side, sendAll } from '../sides.ts'

export interface EnqueueOptions {
  readonly side: Side
  readonly url: string
  readonly how: 'concurrent' | 'bulk' | 'awaited'
  readonly warmUp: number
  readonly count: number
}

const { side, url, how, warmUp, count } = JSON.parse(process.argv[2] ?? '{}') as EnqueueOptions
const IN_FLIGHT = 256
const shape = { kind: 'distinct' } as const

interface Producer {
  one(index: number): Promise<unknown>
  many(messages: ReturnType<typeof messageAt>[]): Promise<void>
  close(): Promise<void>
}

async function openProducer(): Promise<Producer> {
  if (side === 'plain') {
    const queue = openPlainQueue(url)
    return {
      one: (index) => queue.add('text', messageAt(shape, index)),
      many: (messages) => addAll(queue, messages),
      close: () => queue.close(),
    }
  }
  const outbox = await openOutbox(url)
  return {
    one: (index) => outbox.send(messageAt(shape, index)),
    many: (messages) => sendAll(outbox, messages),
    close: () => outbox.close(),
  }
}

async function run(producer: Producer, from: number, number: number): Promise<void> {
  if (how === 'bulk') {
    for (const chunk of messagesIn(shape, { from, count: number }, 1000)) await producer.many(chunk)
    return
  }
  let next = from
  const loop = async (): Promise<void> => {
    while (next < from + number) {
      next += 1
      await producer.one(next)
    }
  }
  await Promise.all(Array.from({ length: how === 'awaited' ? 1 : IN_FLIGHT }, loop))
}

const producer = await openProducer()
await run(producer, 0, warmUp)
const started = performance.now()
await run(producer, warmUp, count)
const ms = performance.now() - started
await producer.close()
process.stdout.write(`result ${JSON.stringify({ perSecond: (count / ms) * 1000 })}\n`)
process.exit(0)
