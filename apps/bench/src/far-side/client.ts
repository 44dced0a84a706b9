/** The bench's end of the far side: tells it what to do and waits until it has seen enough. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StartedProcess } from '@wechat-outbox/sandbox'
import type { FarPlan, FarState } from './plan.ts'

export interface Far {
  readonly url: string
  readonly pid: number
  /** Forgets everything and starts anew. */
  plan(plan: FarPlan): Promise<void>
  /** Notes at the marks also what these processes have used. */
  watch(pids: readonly number[]): Promise<void>
  state(): Promise<FarState>
  /** Waits until the last mark. @throws Error when for a minute nothing arrives */
  done(): Promise<FarState>
  /** Waits until the state is as wanted. @throws as `done` */
  until(isEnough: (state: FarState) => boolean): Promise<FarState>
  arrivals(): Promise<(number | null)[]>
}

const LOOK_EVERY_MS = 50
/** Longer than a dead worker's messages take to be taken over. */
const SILENCE_MS_MAX = 60_000

export function createFar(url: string, { pid }: StartedProcess): Far {
  let marks = 0
  const call = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return (await fetch(`${url}/${path}`, init)).json()
  }
  const state = async (): Promise<FarState> => (await call('_state')) as FarState
  const until: Far['until'] = async (isEnough) => {
    let calls = -1
    let changedAt = performance.now()
    for (;;) {
      const now = await state()
      if (isEnough(now)) return now
      if (now.calls !== calls) changedAt = performance.now()
      calls = now.calls
      if (performance.now() - changedAt > SILENCE_MS_MAX) {
        throw new Error(`nothing arrived for a minute after ${now.accepted} messages`)
      }
      await sleep(LOOK_EVERY_MS)
    }
  }
  return {
    url,
    pid,
    async plan(plan) {
      marks = plan.marksAt.length
      await call('_plan', plan)
    },
    watch: async (pids) => void (await call('_watch', pids)),
    state,
    until,
    done: () => until((now) => now.marks.length === marks),
    arrivals: async () => (await call('_arrivals')) as (number | null)[],
  }
}
