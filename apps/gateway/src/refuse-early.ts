/**
 * Requests that are refused before there is a route: an address that cannot be decoded, headers without end, a body that
 * does not come, bytes that are no HTTP. They, too, get a problem for an answer. Options for the server.
 */
import { type RequestListener, type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { afterAnswers, createHttpServer } from '@wechat-outbox/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Problem, problemBody, problemOf, sendProblem } from './problem.ts'

/** What Node says of a request that it could not take in, as the status it means. */
const STATUS: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/** From the first byte of a request to the last one, and for a handler. */
export const REQUEST_MS_MAX = 15_000

const TOO_MANY: Problem = {
  status: 429,
  code: 'too-many-requests',
  detail: 'Too many requests of this connection are not answered yet.',
}
const refusal = { type: 'application/problem+json; charset=utf-8', body: JSON.stringify(problemBody(TOO_MANY)) }

export const refuseEarly = {
  serverFactory: (handle: RequestListener): Server =>
    createHttpServer(handle, { requestMsMax: REQUEST_MS_MAX, refusal }),
  frameworkErrors(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
    sendProblem(reply, problemOf(error))
  },
  clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
    // Nobody is left to hear it, or it has been said.
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    socket.pause()
    // A message may be stored by now, and its sender has to learn that.
    afterAnswers(socket, () => end(socket, problemOf({ statusCode: STATUS[error.code ?? ''] ?? 400 })))
  },
}

function end(socket: Socket, problem: Problem): void {
  if (!socket.writable) return void socket.destroy()
  const body = JSON.stringify(problemBody(problem))
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // A connection that is closed with something unread in it may lose the answer.
  socket.resume()
}
