/**
 * Everything that stands under the keys of one queue, in a form in which two queues can be compared although their steps were made
 * at different moments. A time becomes the step in which it was taken, and how many hours before or after it lies; a score
 * becomes its time and its place.
 */
import type { RedisClient } from '../../src/redis/connection.ts'

export const HOUR_MS = 3_600_000
/** BullMQ multiplies the times of delayed jobs by this, and priorities by the square of 65536. */
const DELAYED_FACTOR = 0x1000
const PRIORITY_FACTOR = 0x100000000

export type Dump = Record<string, unknown>

/** When each step began and ended on one side. Delays are whole hours in these tests, and a test takes minutes at most. */
export class Steps {
  readonly #windows: { from: number; to: number }[] = []

  add(from: number, to: number): void {
    this.#windows.push({ from, to })
  }

  /** `step 3 +2h`; a time before the first step was set by the test itself, the same on both sides. */
  name(time: number): string {
    const first = this.#windows[0]?.from ?? 0
    if (time < first) return `before, ${time}`
    const hours = Math.round((time - first) / HOUR_MS)
    const rest = time - hours * HOUR_MS
    const step = this.#windows.findIndex(({ from, to }) => from <= rest && rest <= to)
    return step === -1 ? `no step, ${time}` : `step ${step}${hours === 0 ? '' : ` +${hours}h`}`
  }
}

/** A delay in hours: what is left of it by Redis's clock may be some moments less. */
function inHours(delay: unknown): unknown {
  const hours = Number(delay) / HOUR_MS
  return Math.abs(hours - Math.round(hours)) < 0.1 ? `${Math.round(hours)}h` : delay
}

const TIMES: readonly string[] = ['timestamp', 'processedOn', 'finishedOn']

/** The fields of a job's hash, of an event, or of a job as it is handed to a run. */
export function readFields(fields: Readonly<Record<string, unknown>>, steps: Steps): Dump {
  const isDelayed = fields['event'] === 'delayed'
  const read = Object.entries(fields).map(([name, value]) => {
    if (value === undefined) return [name, undefined]
    if (TIMES.includes(name) || (isDelayed && name === 'delay')) return [name, steps.name(Number(value))]
    if (name === 'delay') return [name, inHours(value)]
    if (name === 'opts') return [name, readOptions(typeof value === 'string' ? JSON.parse(value) : value)]
    return [name, value]
  })
  return Object.fromEntries(read)
}

function readOptions(options: Readonly<Record<string, unknown>>): unknown {
  return 'delay' in options ? { ...options, delay: inHours(options['delay']) } : options
}

/** `prefix`: BullMQ's, with which every key of the queue begins. Keys are named without it. */
export async function dumpQueue(redis: RedisClient, prefix: string, steps: Steps): Promise<Dump> {
  const dump: Dump = {}
  // The test's Redis holds some dozens of keys.
  for (const key of (await redis.keys(`${prefix}*`)).toSorted()) {
    const name = key.slice(prefix.length)
    dump[name] = await readKey(redis, { key, name }, steps)
    if ((await redis.pttl(key)) > 0) dump[`${name} expires`] = true
  }
  return dump
}

async function readKey(redis: RedisClient, { key, name }: { key: string; name: string }, steps: Steps) {
  switch (await redis.type(key)) {
    case 'list':
      return redis.lrange(key, '0', '-1')
    case 'set':
      return (await redis.smembers(key)).toSorted()
    case 'hash':
      return readFields(await redis.hgetall(key), steps)
    case 'stream':
      return (await redis.xrange(key, '-', '+')).map(([, fields]) => readFields(pairs(fields), steps))
    case 'zset': {
      const members = Object.entries(pairs(await redis.zrange(key, '0', '-1', 'WITHSCORES')))
      return members.map(([member, score]) => [member, readScore(name, Number(score), steps)])
    }
    default:
      return redis.get(key)
  }
}

function readScore(name: string, score: number, steps: Steps): unknown {
  if (score === 0) return 0
  if (name === 'delayed') return steps.name(Math.floor(score / DELAYED_FACTOR))
  // The rest of the score is BullMQ's count of them, which only puts them in order.
  if (name === 'prioritized') return Math.floor(score / PRIORITY_FACTOR)
  return steps.name(Math.floor(score))
}

function pairs(flat: readonly string[]): Record<string, string> {
  const read: Record<string, string> = {}
  for (let n = 0; n < flat.length; n += 2) read[flat[n] ?? ''] = flat[n + 1] ?? ''
  return read
}
