/**
 * The dashboard's sign-in: one user and one password over HTTP basic, compared in constant time. Guessing is slowed down
 * per address: after a few wrong passwords the next one is not even looked at for a while, up to some seconds. What is
 * remembered for that is bounded; whoever signs in is forgotten.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Logger } from '@wechat-outbox/runtime'

const FREE_FAILURES = 4
const PAUSE_MS = 250
const PAUSE_MS_MAX = 5000
const ADDRESSES_MAX = 1000

export interface SignInOptions {
  readonly user: string
  readonly password: string
  readonly log: Logger
}

export interface Attempt {
  readonly user: string
  readonly password: string
  readonly address: string
}

/** `wait` says that the address has to wait so many milliseconds, right or wrong. */
export type SignInResult =
  | { readonly kind: 'in' }
  | { readonly kind: 'out' }
  | { readonly kind: 'wait'; readonly ms: number }

export function createSignIn({ user, password, log }: SignInOptions): (attempt: Attempt) => SignInResult {
  const expected = { user: digest(user), password: digest(password) }
  const failing = new Map<string, { failures: number; until: number }>()
  return (attempt) => {
    const { address } = attempt
    const before = failing.get(address)
    const now = performance.now()
    if (before !== undefined && before.until > now) return { kind: 'wait', ms: before.until - now }
    // Both are compared whatever the first one says, so that the time tells neither.
    const rightUser = timingSafeEqual(digest(attempt.user), expected.user)
    const rightPassword = timingSafeEqual(digest(attempt.password), expected.password)
    failing.delete(address)
    if (rightUser && rightPassword) return { kind: 'in' }
    const failures = (before?.failures ?? 0) + 1
    const pauseMs =
      failures < FREE_FAILURES ? 0 : Math.min(PAUSE_MS * 2 ** Math.min(failures - FREE_FAILURES, 10), PAUSE_MS_MAX)
    failing.set(address, { failures, until: now + pauseMs })
    if (failing.size > ADDRESSES_MAX) failing.delete(failing.keys().next().value ?? '')
    log.warn({ event: 'dashboard.sign-in-refused', address, failures })
    return { kind: 'out' }
  }
}

/** Equal lengths, whatever was typed. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
