/**
 * People who act at random, messages that may wait for them, and a feed of actions that is as unreliable as the real one. The fake
 * WeChat’s own windows are the judge.
 */
import { seededRandom } from '@wechat-outbox/fake-wechat'
import { expect, vi } from 'vitest'
import { type System, text } from './system.ts'

export interface WindowsRun {
  readonly people: number
  readonly messages: number
  readonly seed: number
  /** Kills and starts workers on the way. */
  readonly disturb?: (system: System, round: number) => Promise<void>
}

export interface WindowsResult {
  readonly surprises: Readonly<Record<Surprise, number>>
  /** Calls that WeChat answered with 45015 or 45047. */
  readonly refused: number
  readonly outOfOrder: number
  readonly delivered: number
  readonly doubles: number
  /** From the last action of a person for whom a message waited to the arrival of that message at WeChat: the median and the longest. */
  readonly releasedMs: { readonly median: number; readonly max: number }
}

/** What a feed of actions does wrong, and what WeChat does on its own. */
const SURPRISES = ['lost', 'twice', 'late', 'early', 'closed'] as const
type Surprise = (typeof SURPRISES)[number]

const LATE_MS = 200
const ROUND_MESSAGES = 25

export async function runWindows(
  system: System,
  { people, messages, seed, disturb }: WindowsRun,
): Promise<WindowsResult> {
  const random = seededRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const { fake, outbox } = system
  const openids = Array.from({ length: people }, (_, n) => `o-${seed}-${n}`)
  const surprises: Record<Surprise, number> = { lost: 0, twice: 0, late: 0, early: 0, closed: 0 }
  const later: Promise<unknown>[] = []
  const mark = `windows ${seed}: `
  let actions = 0
  const tell = (touser: string, id: string, at = Date.now()) => outbox.userActed({ touser, action: 'message', id, at })
  const act = async (touser: string, surprise?: Surprise): Promise<void> => {
    actions += 1
    const id = `a-${actions}`
    if (surprise !== undefined) surprises[surprise] += 1
    if (surprise === 'early') {
      await tell(touser, id)
      later.push(after(LATE_MS, () => fake.user(touser, 'message')))
      return
    }
    await fake.user(touser, surprise === 'closed' ? 'close' : 'message')
    if (surprise === 'lost' || surprise === 'closed') return
    const at = Date.now()
    if (surprise === 'late') later.push(after(LATE_MS, () => tell(touser, id, at)))
    else await tell(touser, id, at)
    if (surprise === 'twice') await tell(touser, id, at)
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
  const released = await letGo(system, { openids, act })
  await vi.waitFor(async () => expect(new Set((await fake.accepted(mark)).map(contentOf)).size).toBe(messages), {
    timeout: 60_000,
    interval: 200,
  })
  return { surprises, releasedMs: await releaseTimes(system, released), ...(await judge(system, mark)) }
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

async function judge({ fake }: System, mark: string): Promise<Omit<WindowsResult, 'surprises' | 'releasedMs'>> {
  const sends = (await fake.sends()).filter(({ rawBody }) => rawBody.includes(mark))
  const taken = sends.filter(({ accepted }) => accepted)
  const firsts = [...new Map(taken.toReversed().map((send) => [contentOf(send), send])).values()].toReversed()
  const byPerson = Map.groupBy(firsts, ({ touser }) => touser)
  const outOfOrder = [...byPerson.values()].filter((of) => {
    const contents = of.map(contentOf)
    return contents.join() !== contents.toSorted().join()
  })
  return {
    refused: sends.filter(({ errcode }) => errcode === 45015 || errcode === 45047).length,
    outOfOrder: outOfOrder.length,
    delivered: firsts.length,
    doubles: taken.length - firsts.length,
  }
}

const contentOf = ({ rawBody }: { rawBody: string }): string => /windows \d+: \d{6}/.exec(rawBody)?.[0] ?? ''

/** What comes late is what is tested here. */
async function after(ms: number, then: () => Promise<unknown>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  await then()
}
