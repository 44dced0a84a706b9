/** Every measurement, in the order of the table. */
import type { Measurement } from './measurement.ts'
import { sendsCallbacks } from './measurements/callbacks.ts'
import { cluster } from './measurements/cluster.ts'
import { deadLetters } from './measurements/dead-letters.ts'
import { delay } from './measurements/delay.ts'
import { sendsDistinct } from './measurements/distinct.ts'
import { enqueue } from './measurements/enqueue.ts'
import { gateway } from './measurements/gateway.ts'
import { growth } from './measurements/growth.ts'
import { hotRecipient } from './measurements/hot.ts'
import { logLine } from './measurements/log-line.ts'
import { redisBytes, workerMemory } from './measurements/memory.ts'
import { peer } from './measurements/peer.ts'
import { replay } from './measurements/replay.ts'
import { sends, sendsRough } from './measurements/sends.ts'
import { takeover } from './measurements/takeover.ts'
import { sendsWindows } from './measurements/windows.ts'

export const CATALOGUE: readonly Measurement[] = [
  sendsDistinct,
  ...sends,
  sendsRough,
  sendsWindows,
  sendsCallbacks,
  peer,
  logLine,
  ...enqueue,
  gateway,
  delay,
  redisBytes,
  ...growth,
  workerMemory,
  takeover,
  deadLetters,
  replay,
  hotRecipient,
  cluster,
]
