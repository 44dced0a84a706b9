/** What was opened, to be closed in the opposite order, however far the start has come. */
import { messageOf } from '@wechat-outbox/outbox/engine'
import { complain } from './say.ts'

export interface Stack {
  /** Notes how to close what was just opened, and hands it on. */
  add<T>(opened: T, close: (opened: T) => Promise<void>): T
  /** Closes everything; one that fails is reported on stderr and does not hold up the others. */
  close(): Promise<void>
}

export function createStack(): Stack {
  const closers: (() => Promise<void>)[] = []
  return {
    add(opened, close) {
      closers.push(() => close(opened))
      return opened
    },
    async close() {
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
        await close().catch((error: unknown) => complain(`while closing: ${messageOf(error)}`))
      }
    },
  }
}
