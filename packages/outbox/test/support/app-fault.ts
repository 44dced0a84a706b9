/** A fault that holds an app for a minute, as a worker reports it. */
import type { AppFault } from '@wechat-outbox/messages'
import { reasonOf } from './world.ts'

export const appFault = (given: Partial<AppFault> = {}): AppFault => ({
  kind: 'fault',
  hold: 'suspended',
  cause: 'send',
  reason: reasonOf({ errcode: 40164, name: 'ip-not-allowed' }),
  holdMs: 60_000,
  everyMs: 60_000,
  ...given,
})
