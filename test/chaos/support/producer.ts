/**
 * A producer in a process of its own, to be killed at any moment. It goes through its plan and repeats a send that was
 * rejected, with the same key, until it is acknowledged; started again, it goes on after its own book's last word.
 *
 * Within a burst all calls are made at once. After a rejection, or when a burst was already begun by a process that died,
 * the rest follows one by one and in order; nothing later for that recipient is sent before.
 */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Outbox, OutboxError, type OutboxOptions } from '@wechat-outbox/outbox'
import type { Burst, PlannedMessage, ProducerPlan } from './plan.ts'
import { type BookLine, formatLine, parseBook } from './producer-book.ts'

const BURSTS_AT_ONCE = 48
const AFTER_REJECTION_MS = 50
const GATE_EVERY_MS = 20

const [planFile = '', bookFile = '', gateFile = '', redis = '', appid = '', durability = ''] = process.argv.slice(2)
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as ProducerPlan
const total = plan.bursts.reduce((sum, burst) => sum + burst.length, 0)
const fd = openSync(bookFile, 'a')
const before = readFileSync(bookFile, 'utf8')
if (before !== '' && !before.endsWith('\n')) writeSync(fd, '\n')
const called = new Set<string>()
const acked = new Map<string, string>()
for (const line of parseBook(before)) {
  if (line.kind === 'calling') called.add(line.key)
  if (line.kind === 'acked') acked.set(line.key, line.id)
}
const outbox = new Outbox({ redis, appid, durability: durability as NonNullable<OutboxOptions['durability']> })
const note = (line: BookLine): void => void writeSync(fd, formatLine(line))

async function call(message: PlannedMessage): Promise<boolean> {
  const { key, touser, ifUnsure, hold } = message
  note({ kind: 'calling', key })
  called.add(key)
  try {
    const { id, duplicate } = await outbox.send({
      touser,
      msgtype: 'text',
      text: { content: key },
      idempotencyKey: `chaos ${key}`,
      ...(ifUnsure === undefined ? {} : { ifUnsure }),
      ...(hold === undefined ? {} : { onClosed: 'hold' }),
    })
    note({ kind: 'acked', key, id, duplicate })
    acked.set(key, id)
    return true
  } catch (error) {
    const code = error instanceof OutboxError ? error.code : 'BUG'
    note({ kind: 'rejected', key, code })
    // Nothing but a Redis that is absent or refuses may refuse what is in order: the judge will say so.
    if (code !== 'WXO_UNAVAILABLE' && code !== 'WXO_FULL') throw error
    return false
  }
}

async function callUntilAcked(message: PlannedMessage): Promise<void> {
  while (!(await call(message))) await sleep(AFTER_REJECTION_MS)
}

async function cancel({ key }: PlannedMessage): Promise<void> {
  const result = await outbox.cancel(acked.get(key) ?? '').catch(() => 'unknown')
  note({ kind: 'cancel', key, result: typeof result === 'string' ? result : 'answered' })
}

async function sendBurst(burst: Burst): Promise<void> {
  const open = burst.filter(({ key }) => !acked.has(key))
  if (open.length === 0) return
  if (!burst.some(({ key }) => called.has(key))) await Promise.all(open.map(call))
  for (const message of open) {
    if (!acked.has(message.key)) await callUntilAcked(message)
  }
  for (const message of open) {
    if (message.cancel) await cancel(message)
  }
}

/** The share of its plan that it may have sent by now, so that all producers and the workers go on together. */
async function gate(sent: number): Promise<void> {
  while (sent > Number(readFileSync(gateFile, 'utf8')) * total) await sleep(GATE_EVERY_MS)
}

const lastOf = new Map<string, Promise<void>>()
const open = new Set<Promise<void>>()
let sent = 0
for (const burst of plan.bursts) {
  sent += burst.length
  const [{ touser, key } = { touser: '', key: '' }] = burst
  if (burst.every((message) => acked.has(message.key))) continue
  if (!called.has(key)) await gate(sent)
  while (open.size >= BURSTS_AT_ONCE) await Promise.race(open)
  const turn = (lastOf.get(touser) ?? Promise.resolve()).then(() => sendBurst(burst))
  lastOf.set(touser, turn)
  open.add(turn)
  void turn.finally(() => open.delete(turn))
}
await Promise.all(open)
await outbox.close()
process.stdout.write('done\n')
process.exit(0)
