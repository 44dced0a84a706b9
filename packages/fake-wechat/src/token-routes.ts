// GET /cgi-bin/token and POST /cgi-bin/stable_token. Both check the credentials the same way; what a call does to
// the tokens before it is in tokens.ts.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errcodeAnswer } from './answers.ts'
import { isProcessed, playFault, sendJson, waitLatency } from './play.ts'
import type { IssuedToken } from './tokens.ts'
import type { World } from './world.ts'

export const CLASSIC_TOKEN_PATH = '/cgi-bin/token'
export const STABLE_TOKEN_PATH = '/cgi-bin/stable_token'

type Credentials = { grantType: unknown; appid: unknown; secret: unknown; force: boolean }
type Exchange = { kind: 'classic' | 'stable'; credentials: Credentials | null; rawBody: string }

const APPID = /^wx[0-9a-f]{16}$/

/** 0 if the credentials are right, else WeChat's errcode for the first thing that is wrong. */
const judgeCredentials = (world: World, credentials: Credentials | null): number => {
  if (credentials === null) return 47001
  const { grantType, appid, secret } = credentials
  if (grantType !== 'client_credential') return 40002
  if (typeof appid !== 'string' || appid === '') return 41002
  if (typeof secret !== 'string' || secret === '') return 41004
  const expected = APPID.test(appid) ? world.secrets.get(appid) : undefined
  if (expected === undefined) return 40013
  return expected === secret ? 0 : 40125
}

const exchangeToken = async (world: World, exchange: Exchange, reply: FastifyReply): Promise<void> => {
  const { kind, credentials, rawBody } = exchange
  const appid = typeof credentials?.appid === 'string' ? credentials.appid : null
  const force = credentials?.force ?? false
  const play = world.faults.choose({ endpoint: 'token', appid, touser: null, rawBody })
  const name = play.name === undefined ? {} : { fault: play.name }
  const call = world.book.addTokenCall({ at: world.now(), appid, kind, force, errcode: null, ...name })

  const errcode = judgeCredentials(world, credentials)
  let issued: IssuedToken | undefined
  if (errcode === 0 && appid !== null && isProcessed(play.fault)) {
    issued = kind === 'classic' ? world.tokens.classic(appid) : world.tokens.stable(appid, force)
  }
  const usual = (): string => (issued ? JSON.stringify(issued) : errcodeAnswer(errcode, world.now()))
  if (play.latencyMs > 0) await waitLatency(play.latencyMs, world.closing.signal)
  if (play.fault === undefined) {
    call.errcode = errcode
    return sendJson(reply, usual())
  }
  call.errcode = playFault(reply, play.fault, usual).errcode
}

export const handleClassicToken = (world: World, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
  const query = request.query as Record<string, unknown>
  const credentials = { grantType: query.grant_type, appid: query.appid, secret: query.secret, force: false }
  return exchangeToken(world, { kind: 'classic', credentials, rawBody: '' }, reply)
}

export const handleStableToken = (world: World, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
  const rawBody = typeof request.body === 'string' ? request.body : ''
  return exchangeToken(world, { kind: 'stable', credentials: parseCredentials(rawBody), rawBody }, reply)
}

const parseCredentials = (rawBody: string): Credentials | null => {
  try {
    const fields: unknown = JSON.parse(rawBody)
    if (typeof fields !== 'object' || fields === null) return null
    const { grant_type: grantType, appid, secret, force_refresh: force } = fields as Record<string, unknown>
    return { grantType, appid, secret, force: force === true }
  } catch {
    return null
  }
}
