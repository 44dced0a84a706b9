/**
 * What came of an upload. A media id says that WeChat has the picture; an errcode is WeChat's answer, judged as one that answers
 * a send. Nobody gets a picture twice, so an answer that was lost, or that is none of WeChat's, is a reason to upload once more.
 */
import type { Outcome } from '@wechat-outbox/messages'
import { outcomeOf } from './answers.ts'
import type { Exchanged } from './call.ts'
import { errcodeOf, type JsonObject, parseObject } from './read.ts'

export type Uploaded =
  | { readonly kind: 'uploaded'; readonly mediaId: string }
  /** WeChat said why not, or could not be asked. */
  | Extract<Outcome, { kind: 'answered' | 'not-sent' | 'refused' }>
  /** Nobody knows, and nothing was lost by that. */
  | { readonly kind: 'unsure'; readonly detail: string }

/** `secrets` stand in none of it; `nowMs` is needed for a `Retry-After` that is a date. */
export function uploadedOf(exchanged: Exchanged, secrets: readonly string[], nowMs: number): Uploaded {
  const answer = exchanged.kind === 'answer' && exchanged.status === 200 ? parseObject(exchanged.body) : undefined
  const mediaId = answer && mediaIdOf(answer)
  if (mediaId !== undefined) return { kind: 'uploaded', mediaId }
  const outcome = outcomeOf(exchanged, secrets, nowMs)
  switch (outcome.kind) {
    case 'answered':
      return outcome.errcode === 0 ? { kind: 'unsure', detail: 'HTTP 200 without a media_id' } : outcome
    case 'not-sent':
    case 'refused':
      return outcome
    default:
      return { kind: 'unsure', detail: outcome.detail }
  }
}

/** A success is without an errcode. */
function mediaIdOf(answer: JsonObject): string | undefined {
  const { media_id: mediaId } = answer
  const errcode = 'errcode' in answer ? errcodeOf(answer) : 0
  return errcode === 0 && typeof mediaId === 'string' && /^[\x21-\x7E]{1,512}$/u.test(mediaId) ? mediaId : undefined
}
