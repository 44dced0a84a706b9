/** From the arguments to the exit code: chooses the mode, and closes everything that it opened, whatever happened. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@wechat-outbox/outbox/engine'
import { ConfigError, type Environment } from '@wechat-outbox/runtime'
import { modeOf } from './env.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { runReal } from './real-mode.ts'
import { runSandbox } from './sandbox-mode.ts'
import { complain, say } from './say.ts'
import { createStack } from './stack.ts'
import { isWish, type Stop } from './stop.ts'

export interface Started {
  readonly args: readonly string[]
  readonly env: Environment
  readonly stop: Stop
}

/** Every part has a limit of its own; this one is for all of them, and beyond the longest SHUTDOWN_TIMEOUT_MS. */
const CLOSE_MS_MAX = 660_000
/** After a failure there may be nothing left to wait for: without Redis no settlement can be stored. */
const CLOSE_FAILED_MS_MAX = 5000

/** How long a start that is under way may take to notice that the end was called for. */
const NOTICE_MS_MAX = 5000

/** Returns the exit code: 0 in order, 1 failed, 2 wrong usage. */
export async function run({ args, env, stop }: Started): Promise<number> {
  const options = optionsOrProblem(args)
  if (typeof options === 'string') {
    complain(`${options}\n\n${USAGE}`)
    return 2
  }
  if (options.help) {
    say(USAGE)
    return 0
  }
  const opened = createStack()
  let closeMsMax = CLOSE_MS_MAX
  try {
    const runMode = modeOf(env) === 'sandbox' ? runSandbox : runReal
    return await Promise.race([runMode({ options, env, stop, opened }), longAfter(stop.signal)])
  } catch (error) {
    // A run to the samples' end that was broken off has not shown what it was started for.
    if (isWish(error)) return options.once ? 1 : 0
    complain(explain(error))
    closeMsMax = CLOSE_FAILED_MS_MAX
    return 1
  } finally {
    await Promise.race([opened.close(), sleep(closeMsMax, undefined, { ref: false })])
  }
}

/** Rejects a while after the end was called for: a part that is just starting may wait for a Redis that is gone. */
function longAfter(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => void setTimeout(() => reject(signal.reason), NOTICE_MS_MAX)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

function optionsOrProblem(args: readonly string[]): Options | string {
  try {
    return readOptions(args)
  } catch (error) {
    return messageOf(error)
  }
}

function explain(error: unknown): string {
  if (!(error instanceof ConfigError)) return `wechat-outbox cannot go on: ${messageOf(error)}`
  return `${error.message}\nWithout any WECHAT_… variable and without REDIS_URL, \`start\` is the sandbox.`
}
