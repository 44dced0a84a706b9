/**
 * Does an app's credential work? A token that is cached hides for two hours that it does not. Whoever looks into that – `wxo doctor` –
 * asks the source without force, which ends no token, and at most once a minute for each app, over all who look: what came of it is
 * remembered for as long. While the workers remember a failure of their own, that is the answer, and nobody asks. The shared token, its
 * lock and that memory are left as they are, so that no worker notices.
 */
import { cleanErrmsg } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { createTokenStore, type TokenFailure } from './token-store.ts'

/** `refused`: somebody has to change a setting. `unclear`: no answer that proves either. */
export type CredentialAnswer = { readonly kind: 'works' } | ({ readonly kind: 'refused' | 'unclear' } & TokenFailure)

export type CredentialCheck = {
  /** Since the source was asked; 0 where this call did. */
  readonly msAgo: number
  /** The source is not asked again before. */
  readonly againInMs: number
} & (
  | { readonly kind: 'answered'; readonly answer: CredentialAnswer }
  /** The workers have asked, and got no token. */
  | { readonly kind: 'workers-failed'; readonly failure: TokenFailure }
  /** Somebody else is asking, or was and has not come back. */
  | { readonly kind: 'busy' }
)

const CHECK_EVERY_MS = 60_000

/** Resolves with what `ask` gave, or with what is known already. `ask` must not reject. */
export async function checkCredential(
  store: Store,
  appid: string,
  ask: () => Promise<CredentialAnswer>,
): Promise<CredentialCheck> {
  const key = appKeys(appid).tokenChecked
  await store.clock.measure()
  const at = store.clock.now()
  const failed = await createTokenStore(store, appid).readFailure()
  if (failed !== null && failed.until > at) {
    const { failure, until } = failed
    return { kind: 'workers-failed', failure, msAgo: Math.max(0, at - failed.at), againInMs: until - at }
  }
  const taken = await store.redis.set(key, JSON.stringify({ at }), 'PX', CHECK_EVERY_MS, 'NX')
  if (taken === null) return known(parseJson(await store.redis.get(key)), at)
  const answer = await ask()
  await store.redis.set(key, JSON.stringify({ at, answer }), 'KEEPTTL', 'XX')
  return { kind: 'answered', answer, msAgo: 0, againInMs: CHECK_EVERY_MS }
}

/** What another call has left. Other programs may have written anything there. */
function known(kept: unknown, nowMs: number): CredentialCheck {
  const { at, answer } = (kept ?? {}) as { at?: unknown; answer?: Partial<CredentialAnswer> & Partial<TokenFailure> }
  const msAgo = typeof at === 'number' ? Math.max(0, nowMs - at) : 0
  const times = { msAgo, againInMs: Math.max(0, CHECK_EVERY_MS - msAgo) }
  switch (answer?.kind) {
    case 'works':
      return { kind: 'answered', answer: { kind: 'works' }, ...times }
    case 'refused':
    case 'unclear': {
      const detail = cleanErrmsg(String(answer.detail ?? ''))
      const errcode = typeof answer.errcode === 'number' ? { errcode: answer.errcode } : {}
      return { kind: 'answered', answer: { kind: answer.kind, ...errcode, detail }, ...times }
    }
    default:
      return { kind: 'busy', ...times }
  }
}
