/**
 * The pictures of one app in one process: from the URL in a message to the media id that WeChat takes. Messages with the same URL
 * wait for one flight: a fetch, and an upload unless the picture is known (`media-store.ts` sees to that over all processes).
 * What a flight came to is kept for a minute, so that a picture may change behind its URL and thousands of messages do
 * not fetch it each. Of a picture nothing is kept.
 *
 * A message waits for a flight two seconds, then it gives its place to others and looks again, so that a slow server holds up
 * nobody but the people whose pictures it has. The flight goes on meanwhile, within limits of its own.
 */
import type { Outcome } from '@wechat-outbox/messages'
import { type MediaStore, messageOf, pictureDigest, within } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { Gate, PublicClient, WechatClient } from '@wechat-outbox/wechat'
import { fetchPicture, type NoMedia } from './fetch-picture.ts'
import { createPicturePlaces } from './picture-places.ts'
import type { Token, Tokens } from './tokens.ts'

/** A picture that WeChat has. */
export interface Picture {
  readonly url: string
  readonly sha256: string
  readonly mediaId: string
}

/** Why there is none. `token`: WeChat has refused the upload that was made with it. */
export interface Failure {
  readonly kind: 'failed'
  readonly outcome: Outcome
  readonly token?: Token
  /** When the upload began, by `performance.now()`. */
  readonly startedAt: number
}

export type Obtained = { readonly kind: 'picture'; readonly picture: Picture } | Failure | { readonly kind: 'pending' }

/** `unfetched`: it could not be had from its URL. `failed`: WeChat did not take it. */
export type UploadResult = 'stored' | 'failed' | 'unfetched'

export interface Pictures {
  /** The picture of a URL, if no question has to be asked for it. */
  known(url: string): Picture | undefined
  /** Fetches and uploads it, or waits for whom it is done already, two seconds at most. A failure is told to a message once. */
  obtain(url: string, messageId: string): Promise<Obtained>
  /** WeChat does not know its media id: nobody is given it again. */
  forget(picture: Picture): Promise<void>
  /** Ends what is under way. */
  close(): void
}

export interface PicturesOptions {
  readonly appid: string
  readonly media: MediaStore
  readonly tokens: Tokens
  /** Uploads, and no call of its takes longer than `uploadMsMax`. */
  readonly client: WechatClient
  readonly uploadMsMax: number
  readonly publicClient: PublicClient
  /** Who may have the bytes of a picture in memory, over all apps of the process. */
  readonly places: Gate
  readonly bytesMax: number
  readonly log: Logger
  readonly onUpload?: ((result: UploadResult) => void) | undefined
}

const WAIT_MS_MAX = 2000
const KNOWN_MS = 60_000
const KNOWN_MAX = 1000
/** A picture that is not there is asked for again after this. */
const GONE_MS = 5000
const FLIGHTS_MAX = 256
/** Waiting for a place, fetching, uploading, and for Redis, which may be away. */
const FLIGHT_MS_MAX = 60_000

interface Flight {
  readonly result: Promise<Picture | Failure>
  /** The message that it was begun for. */
  readonly leader: string
  /** Those that are to hear of its failure. */
  readonly waiting: Set<string>
  failure?: Failure & { readonly at: number }
}

export function createPictures(options: PicturesOptions): Pictures {
  const known = new Map<string, { readonly picture: Picture; readonly until: number }>()
  const flights = new Map<string, Flight>()
  const ending = new AbortController()
  const fly = flightOf(options, ending.signal)

  function begin(url: string, leader: string): Flight | undefined {
    if (flights.size >= FLIGHTS_MAX) for (const [key, { failure }] of flights) if (failure) flights.delete(key)
    if (flights.size >= FLIGHTS_MAX) return undefined
    const result = fly(url)
    const flight: Flight = { result, leader, waiting: new Set() }
    flights.set(url, flight)
    void result.then((ended) => {
      if ('kind' in ended) {
        flight.failure = { ...ended, at: performance.now() }
        return
      }
      if (flights.get(url) === flight) flights.delete(url)
      known.set(url, { picture: ended, until: performance.now() + KNOWN_MS })
      for (const oldest of known.keys()) {
        if (known.size <= KNOWN_MAX) break
        known.delete(oldest)
      }
    })
    return flight
  }

  function lookUp(url: string): Picture | undefined {
    const found = known.get(url)
    if (found === undefined || performance.now() < found.until) return found?.picture
    known.delete(url)
    return undefined
  }

  return {
    known: lookUp,
    async obtain(url, messageId) {
      // A flight may have ended since the caller looked, while it cleared its mark.
      const picture = lookUp(url)
      if (picture !== undefined) return { kind: 'picture', picture }
      let flight = flights.get(url)
      if (flight?.failure !== undefined) {
        const failure = told(flight, flight.failure, messageId)
        if (failure !== undefined) return failure
        flights.delete(url)
        flight = undefined
      }
      flight ??= begin(url, messageId)
      if (flight === undefined) return { kind: 'pending' }
      flight.waiting.add(messageId)
      const ended = await within(flight.result, WAIT_MS_MAX, undefined)
      if (ended === undefined) return { kind: 'pending' }
      return 'kind' in ended
        ? (told(flight, ended, messageId) ?? { kind: 'pending' })
        : { kind: 'picture', picture: ended }
    },
    async forget({ url, sha256, mediaId }) {
      if (known.get(url)?.picture.mediaId === mediaId) known.delete(url)
      await options.media.forget(sha256, mediaId)
    },
    close: () => ending.abort(),
  }
}

/**
 * The failure that a message hears of, once. What the picture's server said is the answer to all who waited for it, and to everybody
 * for a moment where it will not change. What WeChat said, or that there was no token, is one call's result and the leader's: it may
 * hold the app, and one call must not count for many.
 */
function told(flight: Flight, failure: Failure & { readonly at?: number }, messageId: string): Failure | undefined {
  const { outcome, at = performance.now() } = failure
  if (outcome.kind !== 'no-media') {
    return flight.leader === messageId && flight.waiting.delete(messageId) ? failure : undefined
  }
  const isFresh = outcome.lasts && performance.now() < at + GONE_MS
  return flight.waiting.delete(messageId) || isFresh ? failure : undefined
}

/** One way from a URL to a media id. Never rejects. */
function flightOf(options: PicturesOptions, signal: AbortSignal): (url: string) => Promise<Picture | Failure> {
  const { media, client, publicClient, bytesMax, uploadMsMax, places, log, appid, onUpload } = options

  async function upload(bytes: Buffer, kind: Parameters<WechatClient['upload']>[0]['kind']) {
    const result = await options.tokens.current()
    if (result.kind === 'no-token') return failed(result)
    if (result.kind === 'paused')
      return failed({ kind: 'no-token', detail: 'the token rests', retryInMs: result.pauseMs })
    const { token } = result
    const startedAt = performance.now()
    const uploaded = await client.upload({ token, bytes, kind, signal })
    const ms = Math.round(performance.now() - startedAt)
    onUpload?.(uploaded.kind === 'uploaded' ? 'stored' : 'failed')
    if (uploaded.kind === 'uploaded') {
      options.tokens.prove(token)
      log.info({ event: 'media.uploaded', appid, type: kind.type, bytes: bytes.length, durationMs: ms })
      return uploaded
    }
    return { ...failed(uploadOutcome(uploaded)), token, startedAt }
  }

  async function fly(url: string): Promise<Picture | Failure> {
    const fetched = await fetchPicture(publicClient, { url, bytesMax, signal })
    if (fetched.kind === 'no-media') {
      onUpload?.('unfetched')
      return failed(fetched)
    }
    const { bytes, of } = fetched
    const sha256 = pictureDigest(bytes)
    const waitMs = 2 * uploadMsMax
    const shared = await media.share(sha256, { upload: () => upload(bytes, of), uploadMsMax, waitMs })
    if (shared.kind === 'busy') return failed(passing('upload: other processes did not come back with it'))
    return shared.kind === 'stored' ? { url, sha256, mediaId: shared.media.mediaId } : shared
  }

  const ofApp = createPicturePlaces(places)
  const tried = (url: string): Promise<Picture | Failure> =>
    fly(url).catch((error: unknown) => {
      // Redis refuses: nothing of the message can be settled now, either.
      log.warn({ event: 'media.failed', appid, error: messageOf(error) })
      return failed(passing('upload: Redis could not be asked for the media id'))
    })
  return (url) => {
    const isOver = AbortSignal.any([signal, AbortSignal.timeout(FLIGHT_MS_MAX)])
    const flight = ofApp.inPlace(url, () => tried(url), isOver)
    return within(flight, FLIGHT_MS_MAX, undefined).then(
      (ended) => ended ?? failed(passing(`picture: not there after ${FLIGHT_MS_MAX / 1000} s`)),
    )
  }
}

/** No message was sent, so an upload that nobody answered is no doubt about one. */
function uploadOutcome(uploaded: Exclude<Awaited<ReturnType<WechatClient['upload']>>, { kind: 'uploaded' }>): Outcome {
  switch (uploaded.kind) {
    case 'answered':
      return { ...uploaded, errmsg: `upload: ${uploaded.errmsg}` }
    case 'unsure':
      return passing(`upload: ${uploaded.detail}`)
    default:
      return uploaded
  }
}

const passing = (detail: string): NoMedia => ({ kind: 'no-media', detail, lasts: false })
const failed = (outcome: Outcome): Failure => ({ kind: 'failed', outcome, startedAt: performance.now() })
