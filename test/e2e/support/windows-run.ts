/**
 * People who act at random, messages that may wait for them, and a feed of actions that is as unreliable as the real one. The fake
 * WeChat’s own windows are the judge.
 */
import { seededRandom } from '@wechat-outbox/fake-wechat'
import { connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import { expect, vi } from 'vitest'
import { type System, text } from './system.ts'
import {
  type Acted,
  contentOf,
  judgeWindows,
  readRecordedAt,
  SURPRISES,
  type Surprise,
  type WindowsVerdict,
} from './windows-judge.ts'

export interface WindowsRun {
  readonly people: number
  readonly messages: number
  readonly seed: number
  /** Kills and starts processes on the way. */
  readonly disturb?: (system: System, round: number) => Promise<void>
  /** Tells the outbox that a user wrote. Default: `userActed`, which is waited for before the next action. */
  readonly push?: (told: Told) => Promise<void>
}

export interface Told {
  readonly touser: string
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
}

export interface WindowsResult extends WindowsVerdict {
  /** From the last action of a person for whom a message waited to the arrival of that message at WeChat: the median and the longest. */
  readonly releasedMs: { readonly median: number; readonly max: number }
}

const LATE_MS = 200
const ROUND_MESSAGES = 25

export async function runWindows(system: System, run: WindowsRun): Promise<WindowsResult> {
  const redis = connectRedis(system.redis.url, 'operate')
  try {
    return await runWith(system, redis, run)
  } finally {
    redis.disconnect()
  }
}

async function runWith(
  system: System,
  redis: RedisClient,
  { people, messages, seed, disturb, push }: WindowsRun,
): Promise<WindowsResult> {
  const random = seededRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const { fake, outbox } = system
  const openids = Array.from({ length: people }, (_, n) => `o-${seed}-${n}`)
  const acted: Acted[] = []
  const later: Promise<unknown>[] = []
  const mark = `windows ${seed}: `
  const tell = push ?? ((told: Told) => outbox.userActed({ ...told, action: 'message' }))
  const act = async (touser: string, surprise?: Surprise): Promise<void> => {
    const id = String(BigInt(seed) * 10n ** 12n + BigInt(acted.length))
    const entry: Acted = {
      touser,
      surprise,
      knownAt: Date.now(),
      recordedAt: 0,
    }
    acted.push(entry)
    const telling = async (at: number): Promise<void> => {
      await tell({ touser, id, at })
      entry.recordedAt = await readRecordedAt(redis, touser)
    }
    if (surprise === 'early') {
      await telling(Date.now())
      later.push(after(LATE_MS, () => fake.user(touser, 'message')))
      return
    }
    await fake.user(touser, surprise === 'closed' ? 'close' : 'message')
    if (surprise === 'lost' || surprise === 'closed') return
    const at = Date.now()
    if (surprise === 'late') {
      later.push(after(LATE_MS, () => telling(at)))
      return
    }
    const told = telling(at).then(() => (surprise === 'twice' ? telling(at) : undefined))
    // WeChat does not wait for a push before it lets its users go on.
    if (push === undefined) await told
    else later.push(told)
  }
  for (const touser of openids) await act(touser)
  let sent = 0
  for (let round = 0; sent < messages; round += 1) {
    const batch = Array.from({ length: Math.min(ROUND_MESSAGES, messages - sent) }, (_, n) => ({
      ...text(openids[pick(people)] ?? '', `${mark}${String(sent + n).padStart(6, '0')}`),
      onClosed: 'hold' as const,
    }))
    const results = await outbox.sendMany(batch)
    expect(results.filter((result) => 'error' in result)).toEqual([])
    sent += batch.length
    for (let n = 0; n < 2; n += 1) {
      const surprise = random() < 0.3 ? SURPRISES[pick(SURPRISES.length)] : undefined
      await act(openids[pick(people)] ?? '', surprise)
    }
    await disturb?.(system, round)
  }
  await Promise.all(later)
  const released = await letGo(system, {
    openids,
    act: async (touser) => {
      await act(touser)
      await Promise.all(later.splice(0))
    },
  })
  await vi.waitFor(async () => expect(new Set((await fake.accepted(mark)).map(contentOf)).size).toBe(messages), {
    timeout: 60_000,
    interval: 200,
  })
  return { releasedMs: await releaseTimes(system, released), ...(await judgeWindows({ fake, redis }, { mark, acted })) }
}

/** Everybody acts until nothing waits: each action lets five messages go. */
async function letGo(
  { outbox }: System,
  { openids, act }: { openids: readonly string[]; act: (touser: string) => Promise<void> },
): Promise<Released[]> {
  const released: Released[] = []
  const waiting = async (): Promise<string[]> => {
    const windows = await Promise.all(openids.map((touser) => outbox.window(touser)))
    return openids.filter((_, n) => (windows[n]?.waiting ?? 0) > 0)
  }
  for (let left = await waiting(); left.length > 0; left = await waiting()) {
    for (const touser of left) {
      released.push({ touser, at: Date.now() })
      await act(touser)
    }
    await vi.waitFor(
      async () => {
        const windows = await Promise.all(left.map((touser) => outbox.window(touser)))
        // It has gone as far as it may.
        for (const { waiting: open, remaining } of windows) expect(open === 0 || remaining === 0).toBe(true)
      },
      { timeout: 60_000, interval: 50 },
    )
  }
  return released
}

interface Released {
  readonly touser: string
  readonly at: number
}

async function releaseTimes({ fake }: System, released: readonly Released[]): Promise<WindowsResult['releasedMs']> {
  const taken = Map.groupBy(
    (await fake.sends()).filter(({ accepted }) => accepted),
    ({ touser }) => touser,
  )
  const waits = released.flatMap(({ touser, at }) => {
    const first = taken.get(touser)?.find((send) => send.at >= at)
    return first === undefined ? [] : [first.at - at]
  })
  const sorted = waits.toSorted((one, other) => one - other)
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 }
}

/** What comes late is what is tested here. */
async function after(ms: number, then: () => Promise<unknown>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  await then()
}
