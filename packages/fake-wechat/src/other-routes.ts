// The two calls beside the messages that a service makes for a conversation: showing that somebody types, and uploading the
// image that a message will name. Both only check their token and their form, and leave an entry in the ledger.
import { createHash, randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errcodeAnswer } from './answers.ts'
import { parseSendBody } from './judge.ts'
import { sendJson } from './play.ts'
import { tokenOf } from './send-route.ts'
import type { World } from './world.ts'

const MEDIA_PATH = '/cgi-bin/media/upload'
/** Today's page names the second one. */
const TYPING_PATHS = ['/cgi-bin/message/custom/typing', '/cgi-bin/message/custom/business/typing']

const MEDIA_BYTES_MAX = 2 * 1024 * 1024
const FORM_BYTES_MAX = 16 * 1024 * 1024
const MEDIA_TYPES = ['image', 'voice', 'video', 'thumb']
const IMAGE_NAME = /\.(?:png|jpe?g|gif|bmp)$/i

type Judged = { errcode: number; body: unknown; answer?: string }

const answerWith = (world: World, request: FastifyRequest, reply: FastifyReply): ((judged: Judged) => void) => {
  const token = tokenOf(request)
  const { appid, errcode: tokenErrcode } = world.tokens.check(token)
  return (judged) => {
    const errcode = token === '' ? 41001 : tokenErrcode || judged.errcode
    const contentType = request.headers['content-type'] ?? null
    const path = request.url.split('?', 1)[0] ?? ''
    world.book.addOtherCall({ at: world.now(), appid, path, errcode, contentType, body: judged.body })
    sendJson(reply, errcode === 0 && judged.answer ? judged.answer : errcodeAnswer(errcode, world.now()))
  }
}

export const addTypingRoutes = (server: FastifyInstance, world: World): void => {
  for (const path of TYPING_PATHS) {
    server.post(path, (request, reply) => {
      const { parsed, touser } = parseSendBody(typeof request.body === 'string' ? request.body : '')
      const known = parsed?.command === 'Typing' || parsed?.command === 'CancelTyping'
      const errcode = parsed === null ? 47001 : touser === null ? 40003 : known ? 0 : 45072
      answerWith(world, request, reply)({ errcode, body: parsed })
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
      answerWith(world, request, reply)(await judgeUpload(request, world.now()))
      return reply
    })
  })
}

const judgeUpload = async (request: FastifyRequest, nowMs: number): Promise<Judged> => {
  const { type = '' } = request.query as { type?: string }
  const file = await fileIn(request)
  if (!MEDIA_TYPES.includes(type)) return { errcode: 40004, body: { type } }
  if (file === null) return { errcode: 41005, body: { type } }
  const bytes = Buffer.from(await file.arrayBuffer())
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const body = { type, filename: file.name, bytes: bytes.length, sha256 }
  if (bytes.length > MEDIA_BYTES_MAX) return { errcode: 40009, body }
  if (type === 'image' && !IMAGE_NAME.test(file.name)) return { errcode: 40113, body }
  const mediaId = randomBytes(48).toString('base64url')
  const answer = JSON.stringify({ type, media_id: mediaId, created_at: Math.floor(nowMs / 1000) })
  return { errcode: 0, body, answer }
}

/** The multipart field `media`, if it is a file. */
const fileIn = async (request: FastifyRequest): Promise<File | null> => {
  if (!Buffer.isBuffer(request.body)) return null
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const form = await new Response(new Uint8Array(request.body), { headers }).formData().catch(() => null)
  const media = form?.get('media')
  return media instanceof File ? media : null
}
