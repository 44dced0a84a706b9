/**
 * Requests that are refused before there is a route: an address that cannot be decoded, headers without end, a body that
 * does not come, bytes that are no HTTP. They, too, get a problem for an answer. Options for the server.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemBody, problemOf, sendProblem } from './problem.ts'

/** Node's own default, written down: 431 beyond it. */
const HEADER_BYTES_MAX = 16_384

/** What Node says of a request that it could not take in, as the status it means. */
const STATUS: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

export const refuseEarly = {
  http: { maxHeaderSize: HEADER_BYTES_MAX },
  frameworkErrors(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
    sendProblem(reply, problemOf(error))
  },
  clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
    // Nobody is left to hear it, or half an answer is on its way.
    if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) return void socket.destroy()
    const problem = problemOf({ statusCode: STATUS[error.code ?? ''] ?? 400 })
    const body = JSON.stringify(problemBody(problem))
    const head = [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'cache-control: no-store',
      'connection: close',
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  },
}
