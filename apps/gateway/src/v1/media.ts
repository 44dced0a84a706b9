/**
 * A picture for whoever has its bytes and no token to upload it with. The gateway uploads it with the token that the workers keep
 * in Redis; the media id is kept where the workers keep those of pictures by URL, so that the same bytes are uploaded once,
 * whichever process has them. Of the bytes nothing is stored.
 */
import { createMediaStore, pictureDigest, type Store, type StoredToken, within } from '@wechat-outbox/outbox/engine'
import { sendErrcode } from '@wechat-outbox/policy'
import type { Logger } from '@wechat-outbox/runtime'
import {
  createWechatClient,
  type PictureKind,
  type ProxySettings,
  pictureKindOf,
  type Uploaded,
  type WechatClient,
} from '@wechat-outbox/wechat'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type WechatTokens, withToken } from '../entrance/wechat-token.ts'
import { type Problem, sendProblem } from '../problem.ts'
import { createShares, type Shares } from '../shares.ts'
import type { V1Deps } from './add-v1.ts'
import { guarded, invalid, noQuery, readParameters } from './read.ts'

export interface MediaDeps {
  readonly client: Pick<WechatClient, 'upload'>
  readonly tokens: WechatTokens
  readonly bytesMax: number
  /** Of pictures whose uploads are under way: an upload goes on when its caller has left. */
  readonly bytes: Shares
  readonly log: Logger
}

/** One call, the wait for a connection included. */
const UPLOAD_MS_MAX = 12_000
/** Calls at once; others wait for one of them to end. */
const CONNECTIONS = 8
const MEBIBYTE = 1_048_576
const BYTES = { total: 64 * MEBIBYTE, each: 32 * MEBIBYTE }
/** How long the right to upload the picture lasts: a wait for a token, and a call. */
const RIGHT_MS = UPLOAD_MS_MAX + 3000
/** Clients wait some thirty seconds. */
const ANSWER_MS_MAX = 25_000

const NO_PICTURE: Problem = { status: 415, code: 'content-type', detail: 'The body is no PNG, JPEG or GIF.' }
const TOO_MANY: Problem = {
  status: 429,
  code: 'too-many-requests',
  detail: 'As many pictures are being uploaded as the gateway, or the app, may have. Repeat it in a moment.',
}
const LATE: Problem = {
  status: 503,
  code: 'timeout',
  detail: 'The upload took too long. Repeat it: the same bytes are uploaded once.',
}

interface MediaSettings extends Omit<MediaDeps, 'client' | 'bytes'> {
  readonly wechatBaseUrl: string
  readonly allowHttp: boolean
  readonly proxy?: ProxySettings | undefined
}

export function createMediaUploads(
  app: FastifyInstance,
  { wechatBaseUrl: baseUrl, allowHttp, proxy, ...deps }: MediaSettings,
): MediaDeps {
  const client = createWechatClient({ baseUrl, allowHttp, proxy, connections: CONNECTIONS, timeoutMs: UPLOAD_MS_MAX })
  app.addHook('onClose', () => client.close())
  return { ...deps, client, bytes: createShares(BYTES) }
}

export async function uploadMedia(deps: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid } = readParameters(request, noQuery)
  const bytes = request.body
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) throw invalid([{ path: '', message: 'is empty' }])
  const kind = pictureKindOf(bytes)
  if (kind === undefined) return sendProblem(reply, NO_PICTURE)
  const leave = deps.media.bytes.take(bytes.length, [`app ${appid}`])
  if (leave === null) return sendProblem(reply, TOO_MANY)
  const upload = guarded(async () => obtain({ appid, store: await deps.store() }, { bytes, kind }, deps.media))
  const obtained = await within(upload.finally(leave), ANSWER_MS_MAX, LATE)
  return 'status' in obtained ? sendProblem(reply, obtained) : obtained
}

interface Place {
  readonly appid: string
  readonly store: Store
}

interface Picture {
  readonly bytes: Buffer
  readonly kind: PictureKind
}

async function obtain(place: Place, picture: Picture, deps: MediaDeps) {
  const shared = await createMediaStore(place.store, place.appid).share(pictureDigest(picture.bytes), {
    upload: () => upload(place, picture, deps),
    uploadMsMax: RIGHT_MS,
    waitMs: RIGHT_MS,
  })
  switch (shared.kind) {
    case 'stored':
      return { media_id: shared.media.mediaId, expiresAt: new Date(shared.media.expiresAt).toISOString() }
    case 'busy':
      return away('Another process is uploading this picture, and has not come back with it.')
    case 'failed':
      return shared.problem
  }
}

interface Failed {
  readonly kind: 'failed'
  readonly problem: Problem
}

async function upload(at: Place, { bytes, kind }: Picture, { tokens, client, log }: MediaDeps) {
  const { appid } = at
  const call = async (token: StoredToken): Promise<Uploaded> => {
    const started = performance.now()
    const uploaded = await client.upload({ token, bytes, kind })
    const durationMs = Math.round(performance.now() - started)
    if (uploaded.kind === 'uploaded') {
      log.info({ event: 'media.uploaded', appid, type: kind.type, bytes: bytes.length, durationMs })
    } else {
      log.warn({ event: 'media.not-uploaded', appid, outcome: uploaded.kind, errcode: errcodeOf(uploaded), durationMs })
    }
    return uploaded
  }
  const uploaded = await withToken({ tokens, at }, call, errcodeOf)
  if (uploaded.kind === 'uploaded') return uploaded
  if (uploaded.kind !== 'no-token') return failed(problemOfUpload(uploaded))
  const isRefused = uploaded.errcode !== undefined
  return failed(away(isRefused ? 'WeChat refuses the token of this app.' : 'There is no token of this app just now.'))
}

const errcodeOf = (uploaded: Uploaded): number | undefined =>
  uploaded.kind === 'answered' ? uploaded.errcode : undefined
const failed = (problem: Problem): Failed => ({ kind: 'failed', problem })
const away = (detail: string): Problem => ({ status: 503, code: 'wechat-away', detail: `${detail} Repeat it later.` })

/** What passes by itself is worth a repeat; what WeChat has against this picture is not. */
function problemOfUpload(uploaded: Exclude<Uploaded, { kind: 'uploaded' }>): Problem {
  if (uploaded.kind === 'refused') return away(`The way to WeChat answered ${uploaded.status}.`)
  if (uploaded.kind !== 'answered') return away('WeChat could not be asked.')
  const { errcode, errmsg } = uploaded
  const row = sendErrcode(errcode)
  const detail = `WeChat answered ${errcode}${errmsg === '' ? '' : ` ${errmsg}`}.`
  if (row === undefined || row.action === 'dead') return { status: 422, code: 'media-refused', detail }
  return away(detail)
}
