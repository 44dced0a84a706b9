/** The step of a delivery that finds the media id of a message whose picture is given by its URL. */
import { pictureUrlOf } from '@wechat-outbox/messages'
import type { Settlement } from '@wechat-outbox/outbox/engine'
import {
  type Context,
  type DeliverOptions,
  decisionOn,
  isRepeated,
  isTokenGivenUp,
  note,
  settlementOf,
} from './delivery.ts'
import type { Token } from './tokens.ts'

/** When a message looks again whose picture is on its way. */
const PICTURE_WAIT_MS = 500

export type PictureStep =
  /** Without a `mediaId` the message has no URL in place of one. */
  | { readonly kind: 'ready'; readonly mediaId: string | undefined }
  /** The turn was given back meanwhile, and is asked for again. */
  | { readonly kind: 'again' }
  | { readonly kind: 'settled'; readonly settlement: Settlement }

interface Refusals {
  /** What WeChat did not know in this run. */
  readonly refusedMediaId: string | undefined
  readonly replace: (bad: Token, startedAt: number) => Promise<void>
}

/**
 * Only a message whose turn it is has its picture fetched: one that waits behind another, for its user or for its app causes no
 * call. But nothing may wait while its mark says that a call may be open, so the mark goes first.
 */
export async function pictureFor(
  context: Context,
  { refusedMediaId, replace }: Refusals,
  options: DeliverOptions,
): Promise<PictureStep> {
  const { run, data, attempts } = context
  const { pictures, tokens } = options
  const url = pictureUrlOf(data)
  if (url === undefined) return { kind: 'ready', mediaId: undefined }
  const known = pictures.known(url)
  if (known !== undefined && known.mediaId !== refusedMediaId) return { kind: 'ready', mediaId: known.mediaId }
  if (!(await run.unmark())) return { kind: 'settled', settlement: { kind: 'lost' } }
  if (known !== undefined) await pictures.forget(known)
  const at = run.now()
  const started = performance.now()
  const obtained = await pictures.obtain(url, run.id)
  if (obtained.kind === 'picture') return { kind: 'again' }
  if (obtained.kind === 'pending') {
    return { kind: 'settled', settlement: { kind: 'snooze', delayMs: PICTURE_WAIT_MS, counts: false, attempts } }
  }
  const { outcome, token, startedAt } = obtained
  const decision = await decisionOn(outcome, context, options)
  note(context, { outcome, decision, at, ms: Math.round(performance.now() - started), isPicture: true }, options)
  if (token !== undefined && isTokenGivenUp(decision)) await tokens.condemn(token)
  if (!isRepeated(decision)) return { kind: 'settled', settlement: settlementOf(decision, attempts) }
  if (token !== undefined) await replace(token, startedAt)
  return { kind: 'again' }
}
