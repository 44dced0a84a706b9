/** What the far side does with one message, and how it counts: once, in order, how many, and when. */
import { createMeter, type Meter } from '../meter.ts'
import { monotonicMs } from '../proc.ts'
import type { FarPlan, FarState } from './plan.ts'

export interface Verdict {
  /** Undefined: no answer at all. */
  readonly errcode: number | undefined
  readonly latencyMs: number
}

export interface Judge {
  readonly meter: Meter
  /** When each message arrived first, by its number, in ms of the machine's clock. */
  readonly arrivals: readonly number[]
  readonly judge: (body: string) => Verdict
  readonly state: () => FarState
}

/** The same numbers in every run: what one side meets by chance the other meets too. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function createJudge(plan: FarPlan): Judge {
  const meter = createMeter(plan.marksAt)
  const random = seeded(20_261)
  const lastOf = new Map<string, number>()
  const arrivals: number[] = []
  const seen = new Set<number>()
  const counted = { calls: 0, disordered: 0, doubled: 0, apart: 0 }
  const [fromMs, toMs] = plan.latencyMs ?? [0, 0]

  function accept(touser: string, number: number): void {
    if (seen.has(number)) {
      counted.doubled += 1
      return
    }
    seen.add(number)
    const last = lastOf.get(touser) ?? -1
    if (number < last) counted.disordered += 1
    else lastOf.set(touser, number)
    meter.tick()
  }

  return {
    meter,
    arrivals,
    judge(body) {
      const { touser, text } = JSON.parse(body) as { touser: string; text: { content: string } }
      const number = Number(text.content.slice(text.content.lastIndexOf('#') + 1))
      counted.calls += 1
      if (plan.keepArrivals === true) arrivals[number] ??= monotonicMs()
      if (counted.calls <= (plan.hangFirst ?? 0)) return { errcode: undefined, latencyMs: 0 }
      const latencyMs = fromMs + random() * (toMs - fromMs)
      if (touser === plan.apart?.touser) {
        counted.apart += 1
        return { errcode: 0, latencyMs: plan.apart.latencyMs }
      }
      if (plan.busyShare !== undefined && random() < plan.busyShare) return { errcode: -1, latencyMs }
      accept(touser, number)
      return { errcode: plan.errcode ?? 0, latencyMs }
    },
    state: () => ({ ...counted, accepted: meter.count(), marks: meter.marks }),
  }
}
