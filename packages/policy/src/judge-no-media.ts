/**
 * What it means that the picture of a message could not be had from where its producer said, or not be given to WeChat. Nothing
 * of the message was sent, and it says nothing about the app: the fault lies with whoever has the picture.
 */
import type { Outcome } from '@wechat-outbox/messages'
import { dead, heldOrNot, retry } from './decisions.ts'
import { RETRY_AFTER_MS_MAX } from './judge-no-answer.ts'
import type { Judgement, Situation } from './judgement.ts'
import { lastAnswerOf, mediaUnavailableReason } from './reasons.ts'

/** What may pass is tried again, at the cost of a try and not before its server wants to be asked. */
export function judgeNoMedia(outcome: Extract<Outcome, { kind: 'no-media' }>, situation: Situation): Judgement {
  const said = lastAnswerOf(outcome)
  const reason = mediaUnavailableReason(said)
  const isOver = outcome.lasts || situation.tries >= situation.triesMax
  const pauseMs = Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX)
  return heldOrNot(isOver ? dead(reason) : retry(said, situation, pauseMs), { kind: 'unknown' })
}
