/**
 * The dashboard's sign-in: one user and one password over HTTP basic, compared in constant time. The right ones always pass: behind a
 * proxy all people have one address, and somebody's wrong guesses must not keep the others out. What wrong ones cost is bounded, for an
 * address and over all of them: they are answered 429 and not logged. A password that could be guessed at that is refused at the start.
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

/** `wait`: wrong, and the address has had so many wrong ones that it has to wait so many milliseconds. */
export type SignInResult =
  | { readonly kind: 'in' }
  | { readonly kind: 'out' }
  | { readonly kind: 'wait'; readonly ms: number }

const FAILURES_PER_SECOND_MAX = 20

export function createSignIn({ user, password, log }: SignInOptions): (attempt: Attempt) => SignInResult {
  const expected = { user: digest(user), password: digest(password) }
  const brake = createBrake({ failuresPerSecondMax: FAILURES_PER_SECOND_MAX })
  return (attempt) => {
    const { address } = attempt
    // Both are compared whatever the first one says, so that the time discloses neither.
    const rightUser = timingSafeEqual(digest(attempt.user), expected.user)
    const rightPassword = timingSafeEqual(digest(attempt.password), expected.password)
    if (rightUser && rightPassword) {
      brake.passed(address)
      return { kind: 'in' }
    }
    const ms = brake.waitMs(address)
    if (ms > 0) return { kind: 'wait', ms }
    log.warn({ event: 'dashboard.sign-in-refused', address, failures: brake.failed(address) })
    return { kind: 'out' }
  }
}

/** Equal lengths, whatever was typed. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
