/** How many messages of an app with a rate were admitted within one second, on a machine that may be busy with other things. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { onTestFinished } from 'vitest'
import { keys, type World } from './world.ts'

export interface RateWatch {
  /** Notes when this message was admitted: by Redis's clock, and so free of whatever this process was busy with. */
  note(id: string): Promise<void>
  /**
   * Ends the watch. `lateS`: how late a timer of this process and an answer of Redis came at most, by which that many calls may come
   * at once.
   */
  end(): { readonly inOneSecond: number; readonly lateS: number }
}

export function watchRate(world: World): RateWatch {
  const admitted: number[] = []
  const lateness = monitorEventLoopDelay({ resolution: 1 })
  lateness.enable()
  let answerMs = 0
  const asking = setInterval(() => {
    const asked = performance.now()
    void world.redis.ping().then(() => (answerMs = Math.max(answerMs, performance.now() - asked)))
  }, 5)
  onTestFinished(() => clearInterval(asking))
  return {
    async note(id) {
      const mark = (await world.redis.hget(keys.sendJob(id), 'sending')) ?? ''
      admitted.push(Number(mark.split(' ')[0]))
    },
    end() {
      lateness.disable()
      clearInterval(asking)
      const counts = admitted.map((start) => admitted.filter((at) => at >= start && at < start + 1000).length)
      return { inOneSecond: Math.max(...counts), lateS: lateness.max / 1e9 + answerMs / 1e3 }
    },
  }
}
