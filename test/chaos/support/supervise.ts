/** Keeps a process running as a supervisor would: whoever was killed is started again at once. */
import type { ProcessEnd, StartedProcess } from '@wechat-outbox/sandbox'

export interface Supervised {
  readonly name: string
  current(): StartedProcess
  /** Every process that ran, the oldest first. */
  all(): readonly StartedProcess[]
  isStopped(): boolean
  kill9(): Promise<void>
  /** SIGSTOP; returns what lets it go on. */
  pause(): () => void
  /** Resolves when it has ended by itself, with exit code 0; rejects after ten ends that nobody wanted. */
  readonly finished: Promise<void>
  end(): Promise<void>
}

const UNWANTED_MAX = 10

export function supervise(name: string, start: () => StartedProcess): Supervised {
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>()
  finished.catch(() => undefined)
  const all: StartedProcess[] = []
  let ending = false
  let stopped = false
  let unwanted = 0
  let killed = false
  const run = (): void => {
    const child = start()
    all.push(child)
    void child.exited.then((end) => onEnd(child, end))
  }
  const onEnd = (child: StartedProcess, { code, signal }: ProcessEnd): void => {
    stopped = false
    if (ending) return
    if (code === 0) return resolve()
    if (!killed) unwanted += 1
    killed = false
    if (unwanted >= UNWANTED_MAX) {
      return reject(new Error(`${name} keeps ending (${signal ?? code}): ${child.stderr().slice(-2000)}`))
    }
    run()
  }
  const current = (): StartedProcess => {
    const last = all.at(-1)
    if (last === undefined) throw new Error(`${name} was never started`)
    return last
  }
  run()
  return {
    name,
    current,
    all: () => all,
    isStopped: () => stopped,
    async kill9() {
      killed = true
      await current().kill9()
    },
    pause() {
      const child = current()
      child.stopSignal()
      stopped = true
      return () => {
        child.cont()
        if (child === current()) stopped = false
      }
    },
    finished,
    async end() {
      ending = true
      await current().stop('SIGTERM', 8000)
    },
  }
}
