/**
 * The dashboard's sign-in: one user and one password over HTTP basic, compared in constant time. Guessing is slowed down
 * per address: after a few wrong passwords the next one is not even looked at for a while. Whoever signs in is forgotten.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Logger } from '@wechat-outbox/runtime'
import { createBrake } from './brake.ts'

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
  const brake = createBrake()
  return (attempt) => {
    const { address } = attempt
    const ms = brake.waitMs(address)
    if (ms > 0) return { kind: 'wait', ms }
    // Both are compared whatever the first one says, so that the time tells neither.
    const rightUser = timingSafeEqual(digest(attempt.user), expected.user)
    const rightPassword = timingSafeEqual(digest(attempt.password), expected.password)
    if (rightUser && rightPassword) {
      brake.passed(address)
      return { kind: 'in' }
    }
    log.warn({ event: 'dashboard.sign-in-refused', address, failures: brake.failed(address) })
    return { kind: 'out' }
  }
}

/** Equal lengths, whatever was typed. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
