// POST /cgi-bin/message/custom/send. A bench runs thousands of requests per second through here, so it parses
// each body once and keeps nothing but the ledger's entry.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errcodeAnswer } from './answers.ts'
import { judgeSendBody, mediaIdOf, parseSendBody, type SendBody } from './judge.ts'
import type { SendRecord } from './ledger.ts'
import { isProcessed, playFault, sendJson, waitLatency } from './play.ts'
import type { World } from './world.ts'

export const SEND_PATH = '/cgi-bin/message/custom/send'

/** In a cloud container the platform's own parameter carries the token. */
type SendQuery = { access_token?: string | string[]; cloudbase_access_token?: string | string[] }

export const tokenOf = (request: FastifyRequest): string => {
  const { access_token, cloudbase_access_token: token = access_token } = request.query as SendQuery
  return (Array.isArray(token) ? token[0] : token) ?? ''
}

/** The errcode for the token, then the body and the media that it names, then the reply window: the order in which WeChat looks. */
const judge = (world: World, sender: { appid: string | null; errcode: number }, body: SendBody): number =>
  sender.errcode ||
  judgeSendBody(body) ||
  world.media.check(mediaIdOf(body), sender.appid) ||
  (body.touser === null ? 40003 : world.windows.check(body.touser))

const accept = (world: World, record: SendRecord): void => {
  world.book.markAccepted(record)
  if (record.touser !== null) world.windows.count(record.touser)
}

/** Handles one send request; the message is taken, or not, at its arrival, whatever becomes of the answer. */
export const handleSend = async (world: World, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
  const rawBody = typeof request.body === 'string' ? request.body : ''
  const body = parseSendBody(rawBody)
  const token = tokenOf(request)
  const verdict = world.tokens.check(token)
  const { appid, errcode: tokenErrcode } = verdict
  const age = verdict.appid === null ? {} : { tokenAgeMs: verdict.ageMs }
  const play = world.faults.choose({ endpoint: 'send', appid, touser: body.touser, rawBody, ...age })
  const { touser, msgtype } = body
  const contentType = request.headers['content-type'] ?? null
  const name = play.name === undefined ? {} : { fault: play.name }
  const common = { at: world.now(), appid, touser, msgtype, rawBody, contentType, method: request.method }
  const record = world.book.addSend({ ...common, path: SEND_PATH, errcode: null, ...name, accepted: false })

  const errcode = judge(world, { appid, errcode: token === '' ? 41001 : tokenErrcode }, body)
  if (errcode === 0 && isProcessed(play.fault)) accept(world, record)
  if (play.latencyMs > 0) await waitLatency(play.latencyMs, world.closing.signal)
  if (play.fault === undefined) {
    record.errcode = errcode
    return sendJson(reply, errcodeAnswer(errcode, world.now()))
  }
  record.errcode = playFault(reply, play.fault, () => errcodeAnswer(errcode, world.now())).errcode
}
