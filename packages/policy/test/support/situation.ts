/** A message at its first try, in a situation without anything special; each test changes what it is about. */
import type { Situation } from '../../src/index.ts'

export const situation: Situation = {
  nowMs: Date.parse('2026-11-22T12:00:00Z'),
  random: 0.5,
  tries: 1,
  triesMax: 16,
  backoffMs: 1000,
  backoffMsMax: 300_000,
  ifUnsure: 'resend',
  onClosed: 'dead-letter',
  tokenRefreshes: 0,
  probeEveryMs: 60_000,
}
