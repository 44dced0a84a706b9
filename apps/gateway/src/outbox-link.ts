/**
 * The outbox over the gateway's one connection, for all apps. A second connection, which WATCH needs for itself, is
 * opened by the first call that cancels or discards something.
 */
import { createJudge, type Judge, lazyStore, Outbox, type Store } from '@wechat-outbox/outbox'
import type { RedisLink } from './redis-link.ts'

export interface OpenOutbox {
  readonly outbox: Outbox
  /** For what an Outbox does not do: dead letters. */
  store(): Promise<Store>
  readonly judge: Judge
  close(): Promise<void>
}

export function openOutbox(link: RedisLink, at: { url: string; idempotencyTtlHours: number }): OpenOutbox {
  const exclusive = lazyStore(at.url)
  const store = (): Promise<Store> => link.store()
  const judge = createJudge(async () => {
    // While Redis is away this fails at once; the other connection would be waited for.
    await link.store()
    return exclusive.open()
  })
  return {
    outbox: new Outbox({ redis: { open: store, judge }, idempotencyTtlHours: at.idempotencyTtlHours }),
    store,
    judge,
    close: () => exclusive.close(),
  }
}
