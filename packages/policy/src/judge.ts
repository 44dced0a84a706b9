/**
 * The decision about one call, as a pure function of what came back and of the situation: what becomes of the message, and
 * what the call says about its app. Nothing here reads a clock, draws a number or changes anything.
 *
 * Absent on purpose: reply windows are not reckoned here. WeChat's own 45015 and 45047 are the truth about them.
 */
import type { Outcome } from '@wechat-outbox/messages'
import { judgeAnswer } from './judge-answer.ts'
import { judgeNoAnswer } from './judge-no-answer.ts'
import { judgeNoMedia } from './judge-no-media.ts'
import { judgeNoToken } from './judge-no-token.ts'
import type { Judgement, Situation } from './judgement.ts'

/** Never throws, and every combination has an end: tries and `expiresAt` bound all that repeats. */
export function judge(outcome: Outcome, situation: Situation): Judgement {
  switch (outcome.kind) {
    case 'answered':
      return judgeAnswer(outcome, situation)
    case 'not-sent':
    case 'refused':
    case 'unsure':
      return judgeNoAnswer(outcome, situation)
    case 'no-media':
      return judgeNoMedia(outcome, situation)
    case 'no-token':
      return judgeNoToken(outcome, situation)
  }
}
