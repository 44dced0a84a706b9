/** What a receiver's answer means. 2xx takes the event; everything else, redirects included, is one try more. */
import type { Called } from '@wechat-outbox/outbox/engine'
import { type PublicAnswer, retryAfterMsOf } from '@wechat-outbox/wechat'

/** The receiver wants nothing more, as Standard Webhooks has it. */
const GONE = 410

/** `nowMs`: what a date in `Retry-After` is compared with. */
export function judgeAnswer(answer: PublicAnswer, nowMs: number): Called {
  switch (answer.kind) {
    case 'answered':
    case 'too-large': {
      const { status } = answer
      if (status >= 200 && status < 300) return { kind: 'taken' }
      const retryAfterMs = answer.kind === 'answered' ? retryAfterMsOf(answer.headers['retry-after'], nowMs) : undefined
      return { kind: 'failed', why: `status ${status}`, isGone: status === GONE, retryAfterMs }
    }
    case 'refused':
    case 'broken':
      return { kind: 'failed', why: answer.detail }
  }
}
