// An HTTP server that behaves as WeChat does, so that everything here runs, and is tested, without WeChat: tokens that
// replace each other, reply windows, WeChat's errcodes, and faults on request. It listens on the loopback alone,
// speaks plain HTTP and keeps everything in memory. Its control API is listed in control-routes.ts.
//
// Deliberately absent: media download, WeChat's own rate limits (play 45011 or 45009 as faults).
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { errcodeAnswer } from './answers.ts'
import { createControl, type FakeControl } from './control.ts'
import { addControlRoutes } from './control-routes.ts'
import type { Ledger } from './ledger.ts'
import { addMediaRoute, addTypingRoutes } from './other-routes.ts'
import { sendJson } from './play.ts'
import { handleSend, SEND_PATH } from './send-route.ts'
import { CLASSIC_TOKEN_PATH, handleClassicToken, handleStableToken, STABLE_TOKEN_PATH } from './token-routes.ts'
import { createWorld, type World, type WorldOptions } from './world.ts'

export type FakeWechatOptions = WorldOptions & {
  /** Default 0: a free one. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
}

export type FakeWechat = {
  /** The base URL, without a slash at its end. */
  url: string
  ledger: Ledger
  control: FakeControl
  /** Cuts what is still open, hanging requests included, and resolves when the port is free. May be called twice. */
  close: () => Promise<void>
}

const BODY_BYTES_MAX = 1024 * 1024

/** WeChat answers a wrong method on a known path with an errcode, and everything unknown with another. */
const answerNotFound = (world: World, request: FastifyRequest, reply: FastifyReply): void => {
  const path = request.url.split('?', 1)[0]
  const wrongMethod = path === CLASSIC_TOKEN_PATH ? 43001 : path === SEND_PATH || path === STABLE_TOKEN_PATH ? 43002 : 0
  sendJson(reply, errcodeAnswer(wrongMethod === 0 ? 40066 : wrongMethod, world.now()))
}

const buildServer = (world: World): FastifyInstance => {
  const server = fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true, exposeHeadRoutes: false })
  // WeChat does not look at the content type, so neither does the fake: every body is text until it is judged.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  server.setNotFoundHandler((request, reply) => answerNotFound(world, request, reply))
  server.setErrorHandler((error: { code?: string }, _request, reply) => {
    const errcode = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? 45002 : -1
    void reply.code(200)
    sendJson(reply, errcodeAnswer(errcode, world.now()))
  })
  server.post(SEND_PATH, (request, reply) => handleSend(world, request, reply).then(() => reply))
  server.get(CLASSIC_TOKEN_PATH, (request, reply) => handleClassicToken(world, request, reply).then(() => reply))
  server.post(STABLE_TOKEN_PATH, (request, reply) => handleStableToken(world, request, reply).then(() => reply))
  addTypingRoutes(server, world)
  addMediaRoute(server, world)
  return server
}

/**
 * Starts a fake WeChat. Rejects if the port is taken.
 *
 * @example
 * const fake = await startFakeWechat({ windows: 'strict' })
 * fake.control.user('oAnna', 'message')
 * fake.control.addFault({ fault: 'http503', times: 1 })
 * // … let the service under test send to fake.url, with SANDBOX_APP_ID and SANDBOX_APP_SECRET …
 * fake.ledger.summary().accepted // 1
 * await fake.close()
 */
export const startFakeWechat = async (options: FakeWechatOptions = {}): Promise<FakeWechat> => {
  const { port = 0, host = '127.0.0.1' } = options
  const world = createWorld(options)
  const control = createControl(world)
  const server = buildServer(world)
  addControlRoutes(server, world, control)
  await server.listen({ port, host })
  const address = server.server.address() as AddressInfo
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${shownHost}:${address.port}`,
    ledger: world.book.ledger,
    control,
    close: async () => {
      world.closing.abort()
      await server.close()
    },
  }
}
