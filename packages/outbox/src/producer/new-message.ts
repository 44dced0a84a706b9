/** What a producer stores of a request: a job, and of a text that is cut into parts one for each. */
import { type CheckedRequest, type JobData, newJobData, type OnClosed, partIdOf } from '@wechat-outbox/messages'

export interface NewMessage {
  readonly appid: string
  readonly id: string
  readonly data: JobData
  /** What becomes of it while the reply window of its recipient is closed. */
  readonly onClosed?: OnClosed | undefined
  readonly collapseKey?: string | undefined
  /** What follows it to the same person, and is stored with it or not at all. */
  readonly followers?: readonly { readonly id: string; readonly data: JobData }[]
  /** `ttlMs` counts from the later of now and `sendAt`. */
  readonly guard?: { readonly key: string; readonly fingerprint: string; readonly ttlMs: number }
}

/**
 * What a producer stores of a request: the key that guarded it has done its work. Of a long text, each part by itself, under
 * ids that follow from the first.
 */
export function newMessage(id: string, request: CheckedRequest, texts: readonly string[]): Omit<NewMessage, 'appid'> {
  const data = newJobData(request)
  const { onClosed, collapseKey } = request
  if (data.msgtype !== 'text') return { id, data, onClosed, collapseKey }
  const of = texts.length
  const [first = data, ...others] = texts.map((content, index): JobData => {
    const part = of === 1 ? {} : { part: { n: index + 1, of, first: id } }
    return { ...data, text: { content }, ...part }
  })
  return {
    id,
    data: first,
    onClosed,
    collapseKey,
    followers: others.map((other, index) => ({ id: partIdOf(id, index + 2), data: other })),
  }
}
