/**
 * Pictures that WeChat has been given, by app and SHA-256: two hundred messages with one picture upload it once, whichever
 * processes send them. WeChat keeps an image for three days and cannot be asked about it, so an id is used for some hours
 * less. Only ids stand in Redis, and nothing of a picture.
 */
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface StoredMedia {
  readonly mediaId: string
  /** Epoch milliseconds by Redis's clock: nobody uses it any more. */
  readonly expiresAt: number
}

export type UploadedMedia = { readonly kind: 'uploaded'; readonly mediaId: string }

export interface SharedUpload<Failure> {
  /** Uploads the picture, in `uploadMsMax` at most. Called only by who has the right to. */
  readonly upload: () => Promise<UploadedMedia | Failure>
  /** So long the right to upload lasts at most. It is renewed meanwhile: the death of its process costs the others four seconds. */
  readonly uploadMsMax: number
  /** How long another process's upload is waited for. */
  readonly waitMs: number
}

export interface MediaStore {
  /** The id of a picture: the one that there is, or a new one from one process of all. `busy`: another has not come back with one. */
  share<Failure extends { readonly kind: string }>(
    sha256: string,
    shared: SharedUpload<Failure>,
  ): Promise<{ readonly kind: 'stored'; readonly media: StoredMedia } | Failure | { readonly kind: 'busy' }>
  /** WeChat does not know the id: nobody gets it any more. */
  forget(sha256: string, mediaId: string): Promise<void>
}

/** What a picture is known by: SHA-256, in base64url. */
export function pictureDigest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url')
}

/** Three days, less what a message may wait between the look for its id and its call, and what clocks differ by. */
const KEPT_MS = 70 * 3_600_000
const POLL_MS = 100
/** The right to upload ends so soon after its process has. */
const RIGHT_MS = 4000
const RENEW_EVERY_MS = 1000

export function createMediaStore({ redis, clock }: Store, appid: string): MediaStore {
  const keys = appKeys(appid)
  const stored = ([mediaId, leftMs]: readonly [string, number]) =>
    ({ kind: 'stored', media: { mediaId, expiresAt: Math.floor(clock.now() + leftMs) } }) as const
  const deleteIf = (key: string, value: string): Promise<number> =>
    runScript(redis, { name: 'delete-if', keys: [key], args: [value] })
  const extendIf = (key: string, value: string, ms: number): Promise<number> =>
    runScript(redis, { name: 'extend-if', keys: [key], args: [value, ms] })
  return {
    async share(sha256, { upload, uploadMsMax, waitMs }) {
      const media = keys.media(sha256)
      const lock = keys.mediaLock(sha256)
      const fence = randomUUID()
      for (const until = performance.now() + waitMs; ; await sleep(POLL_MS)) {
        const rightUntil = performance.now() + uploadMsMax + 1000
        const rightMs = () => Math.min(RIGHT_MS, Math.ceil(rightUntil - performance.now()))
        const call = { name: 'media-claim', keys: [media, lock], args: [fence, rightMs()] } as const
        const [kind, id = '', leftMs = 0] = await runScript<[string, string?, number?]>(redis, call)
        if (kind === 'media') return stored([id, leftMs])
        if (kind === 'busy') {
          if (performance.now() >= until) return { kind: 'busy' }
          continue
        }
        // What Redis refuses now it takes a second later. Should the right end, another uploads the picture as well.
        const renewing = setInterval(() => {
          if (rightMs() > 0) extendIf(lock, fence, rightMs()).catch(() => undefined)
        }, RENEW_EVERY_MS)
        try {
          const made = await upload()
          // A failure may have any other kind.
          if (!isUploaded(made)) return made
          const { mediaId } = made
          return stored(await runScript(redis, { name: 'media-store', keys: [media], args: [mediaId, KEPT_MS] }))
        } finally {
          clearInterval(renewing)
          await deleteIf(lock, fence)
        }
      }
    },
    async forget(sha256, mediaId) {
      await deleteIf(keys.media(sha256), mediaId)
    },
  }
}

function isUploaded(made: { readonly kind: string }): made is UploadedMedia {
  return made.kind === 'uploaded'
}
