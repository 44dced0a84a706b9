/**
 * A picture from where its producer says that it is: fetched, and looked at by its bytes. What its server does falls into two
 * kinds: what asking again may change, and what it will not.
 */
import type { Outcome } from '@wechat-outbox/messages'
import { type PictureKind, type PublicClient, pictureKindOf, retryAfterMsOf } from '@wechat-outbox/wechat'

export type NoMedia = Extract<Outcome, { kind: 'no-media' }>

export interface FetchedPicture {
  readonly kind: 'picture'
  readonly bytes: Buffer
  readonly of: PictureKind
}

/** One picture, redirects included. */
const FETCH_MS_MAX = 10_000
const REDIRECTS_MAX = 3
const ACCEPT = 'image/png, image/jpeg, image/gif'

/** Never rejects. No part of the URL stands in what it says. */
export async function fetchPicture(
  client: PublicClient,
  { url, bytesMax, signal }: { readonly url: string; readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<FetchedPicture | NoMedia> {
  const answer = await client.request({
    url,
    method: 'GET',
    headers: { accept: ACCEPT },
    timeoutMs: FETCH_MS_MAX,
    bytesMax,
    redirectsMax: REDIRECTS_MAX,
    signal,
  })
  switch (answer.kind) {
    case 'too-large':
    case 'refused':
      return gone(answer.detail)
    case 'broken':
      return busy(answer.detail)
    case 'answered':
      return judgeAnswer(answer.status, answer.headers, answer.body)
  }
}

/** What its server says with these passes by itself; it means every other refusal. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429])

function judgeAnswer(
  status: number,
  headers: Readonly<Record<string, string>>,
  bytes: Buffer,
): FetchedPicture | NoMedia {
  if (status >= 500 || PASSING.has(status)) {
    const retryAfterMs = retryAfterMsOf(headers['retry-after'], Date.now())
    return { ...busy(`HTTP ${status}`), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  if (status !== 200) return gone(`HTTP ${status}`)
  const of = pictureKindOf(bytes)
  return of === undefined ? gone(`${bytes.length} bytes that are no PNG, JPEG or GIF`) : { kind: 'picture', bytes, of }
}

const gone = (detail: string): NoMedia => ({ kind: 'no-media', detail: `picture: ${detail}`, lasts: true })
const busy = (detail: string): NoMedia => ({ kind: 'no-media', detail: `picture: ${detail}`, lasts: false })
