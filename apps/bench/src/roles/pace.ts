/** A producer with all the time in the world: one message, a pause, the next. Tells when it called `send` for each. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageAt } from '../messages.ts'
import { openPlainQueue } from '../plain.ts'
import { monotonicMs } from '../proc.ts'
import { openOutbox, type Side } from '../sides.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as { side: Side; url: string; count: number }
const shape = { kind: 'distinct' } as const

async function openSend(): Promise<(index: number) => Promise<unknown>> {
  if (options.side === 'plain') {
    const queue = openPlainQueue(options.url)
    return (index) => queue.add('text', messageAt(shape, index))
  }
  const outbox = await openOutbox(options.url)
  return (index) => outbox.send(messageAt(shape, index))
}

const send = await openSend()
const sentAt: number[] = []
for (let index = 0; index < options.count; index += 1) {
  sentAt.push(monotonicMs())
  await send(index)
  // Uneven, so that the pauses keep step with nobody's timer.
  await sleep(10 + (index % 7) * 3)
}
process.stdout.write(`result ${JSON.stringify(sentAt)}\n`)
process.exit(0)
