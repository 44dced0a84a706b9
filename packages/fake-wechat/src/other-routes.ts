// The two calls beside the messages that a service makes for a conversation: showing that somebody types, and uploading the
// image that a message will name. Both check their token and their form, and leave an entry in the ledger.
import { createHash, randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errcodeAnswer } from './answers.ts'
import { parseSendBody } from './judge.ts'
import type { OtherCall } from './ledger.ts'
import { isProcessed, playFault, sendJson, waitLatency } from './play.ts'
import { tokenOf } from './send-route.ts'
import type { World } from './world.ts'

const MEDIA_PATH = '/cgi-bin/media/upload'
/** Today's page names the second one. */
const TYPING_PATHS = ['/cgi-bin/message/custom/typing', '/cgi-bin/message/custom/business/typing']

const MEDIA_BYTES_MAX = 2 * 1024 * 1024
const FORM_BYTES_MAX = 16 * 1024 * 1024
const MEDIA_TYPES = ['image', 'voice', 'video', 'thumb']
const IMAGE_NAME = /\.(?:png|jpe?g|gif|bmp)$/i

type Judged = { errcode: number; body: unknown; mediaId?: string }

/** The call as the ledger keeps it, with the errcode for its token or else its own. */
const callOf = (world: World, request: FastifyRequest, { errcode, body }: Judged): OtherCall => {
  const token = tokenOf(request)
  const { appid, errcode: tokenErrcode } = world.tokens.check(token)
  const contentType = request.headers['content-type'] ?? null
  const path = request.url.split('?', 1)[0] ?? ''
  const judged = token === '' ? 41001 : tokenErrcode || errcode
  return { at: world.now(), appid, path, errcode: judged, contentType, body }
}

export const addTypingRoutes = (server: FastifyInstance, world: World): void => {
  for (const path of TYPING_PATHS) {
    server.post(path, (request, reply) => {
      const { parsed, touser } = parseSendBody(typeof request.body === 'string' ? request.body : '')
      const known = parsed?.command === 'Typing' || parsed?.command === 'CancelTyping'
      const errcode = parsed === null ? 47001 : touser === null ? 40003 : known ? 0 : 45072
      const call = world.book.addOtherCall(callOf(world, request, { errcode, body: parsed }))
      sendJson(reply, errcodeAnswer(call.errcode ?? 0, world.now()))
      return reply
    })
  }
}

export const addMediaRoute = (server: FastifyInstance, world: World): void => {
  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    const parser = { parseAs: 'buffer', bodyLimit: FORM_BYTES_MAX } as const
    scope.addContentTypeParser('*', parser, (_request, body, done) => done(null, body))
    scope.post(MEDIA_PATH, async (request, reply) => {
      // As people have seen it answer bodies whose length it is not told.
      if (request.headers['content-length'] === undefined) {
        return reply.code(412).header('content-type', 'text/html').send('<html>412 Precondition Failed</html>')
      }
      await handleUpload(world, request, reply)
      return reply
    })
  })
}

/** The file is taken, or not, at its arrival, whatever becomes of the answer. */
const handleUpload = async (world: World, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
  const judged = await judgeUpload(request)
  const call = callOf(world, request, judged)
  const play = world.faults.choose({ endpoint: 'media', appid: call.appid, touser: null, rawBody: '' })
  const { mediaId } = judged
  const { errcode: verdict } = call
  if (verdict === 0 && mediaId !== undefined && isProcessed(play.fault)) world.media.add(mediaId, call.appid)
  const record = world.book.addOtherCall({
    ...call,
    errcode: null,
    ...(play.name === undefined ? {} : { fault: play.name }),
  })
  const usual = (): string => {
    if (verdict !== 0) return errcodeAnswer(verdict ?? -1, world.now())
    const { type } = judged.body as { type: string }
    return JSON.stringify({ type, media_id: mediaId, created_at: Math.floor(world.now() / 1000) })
  }
  if (play.latencyMs > 0) await waitLatency(play.latencyMs, world.closing.signal)
  if (play.fault !== undefined) {
    record.errcode = playFault(reply, play.fault, usual).errcode
    return
  }
  record.errcode = verdict
  sendJson(reply, usual())
}

const judgeUpload = async (request: FastifyRequest): Promise<Judged> => {
  const { type = '' } = request.query as { type?: string }
  const file = await fileIn(request)
  if (!MEDIA_TYPES.includes(type)) return { errcode: 40004, body: { type } }
  if (file === null) return { errcode: 41005, body: { type } }
  const bytes = Buffer.from(await file.arrayBuffer())
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const body = { type, filename: file.name, bytes: bytes.length, sha256 }
  if (bytes.length > MEDIA_BYTES_MAX) return { errcode: 40009, body }
  if (type === 'image' && !IMAGE_NAME.test(file.name)) return { errcode: 40113, body }
  return { errcode: 0, body, mediaId: randomBytes(48).toString('base64url') }
}

/** The multipart field `media`, if it is a file. */
const fileIn = async (request: FastifyRequest): Promise<File | null> => {
  if (!Buffer.isBuffer(request.body)) return null
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const form = await new Response(new Uint8Array(request.body), { headers }).formData().catch(() => null)
  const media = form?.get('media')
  return media instanceof File ? media : null
}
