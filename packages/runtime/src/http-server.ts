/**
 * The HTTP server under the gateway and under a worker's port, with every limit that a connection has. Node's own defaults let a client that takes no answer, or
 * sends a header now and then, stay for ever.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { limitPipelining, type Refusal } from './pipelining.ts'

/** Node's own default, written down: 431 beyond it. */
const HEADER_BYTES_MAX = 16_384
const HEADERS_MS_MAX = 10_000
/** How often slow requests are looked for. Node's own default would let each of them stay half a minute longer. */
const SLOW_LOOK_EVERY_MS = 5000
/** Of a connection with a request, in either direction: whoever takes no answer is cut off. No handler takes half as long. */
const SILENCE_MS_MAX = 40_000
/** Longer than what stands in front of the gateway keeps a connection for: most keep one for a minute. */
const KEEP_ALIVE_MS = 72_000
/** Whoever comes beyond that is turned away at once; a file descriptor and some kilobytes are what a connection costs. */
const CONNECTIONS_MAX = 10_000

export interface HttpServerOptions {
  /** From the first byte to the last one of a request. */
  readonly requestMsMax: number
  /** What a request is answered with before which too many of its connection are not answered yet. */
  readonly refusal: Refusal
}

export function createHttpServer(handle: RequestListener, { requestMsMax, refusal }: HttpServerOptions): Server {
  const options = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: Math.min(HEADERS_MS_MAX, requestMsMax),
    requestTimeout: requestMsMax,
    connectionsCheckingInterval: SLOW_LOOK_EVERY_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  const server = createServer(options, limitPipelining(handle, refusal))
  server.timeout = SILENCE_MS_MAX
  server.maxConnections = CONNECTIONS_MAX
  return server
}
