/**
 * A client may send further requests on a connection before the first one is answered, and Node hands over all that a chunk of
 * 64 KiB holds at once: two thousand, each with work, memory and files of its own. Here a connection has a few requests in progress, some
 * more wait until these are answered, and the one after that is refused and ends the connection. A client that has sent very many more is
 * cut off without its answers.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

const IN_PROGRESS_MAX = 8
/** More than any client sends ahead on purpose. */
const WAITING_MAX = 64
/** What follows a refusal. Each costs a kilobyte until its connection is closed, and Node waits for the client to take the answers before. */
const IGNORED_MAX = 100

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

interface Connection {
  readonly inProgress: Set<Exchange>
  waiting: Exchange[]
  /** Whatever arrives from now on is ignored. */
  isEnding: boolean
  ignored: number
  /** Called when all is answered that can be. */
  whenAnswered: (() => void) | undefined
}

const connections = new WeakMap<Socket, Connection>()

/** What a request beyond the limit is answered with, as 429. */
export interface Refusal {
  readonly type: string
  readonly body: string
}

/** Puts the limit in front of a server's handler. */
export function limitPipelining(handle: RequestListener, refusal: Refusal): RequestListener {
  const start = (connection: Connection, exchange: Exchange): void => {
    connection.inProgress.add(exchange)
    exchange.response.once('close', () => {
      connection.inProgress.delete(exchange)
      // Nobody is left to answer.
      if (exchange.request.socket.destroyed) connection.waiting = []
      const next = connection.waiting.shift()
      if (next === undefined) tellWhenAnswered(connection)
      else start(connection, next)
    })
    handle(exchange.request, exchange.response)
  }
  return (request, response) => {
    const connection = connectionOf(request.socket)
    if (connection.isEnding) return ignore(connection, request)
    const exchange = { request, response }
    if (connection.inProgress.size < IN_PROGRESS_MAX) start(connection, exchange)
    else if (connection.waiting.length < WAITING_MAX) connection.waiting.push(exchange)
    else refuse(connection, exchange, refusal)
  }
}

/**
 * For a connection on which something arrived that is no HTTP: calls back when every request before that is answered, at once if there
 * is none. Not if the connection ends with an answer of its own.
 */
export function afterAnswers(socket: Socket, callback: () => void): void {
  const connection = connections.get(socket)
  if (connection === undefined) return callback()
  if (connection.isEnding) return
  connection.isEnding = true
  connection.waiting = connection.waiting.filter(({ request }) => request.complete)
  connection.whenAnswered = callback
  tellWhenAnswered(connection)
}

/** A request whose rest will not come is not waited for, unless its answer has begun. */
function tellWhenAnswered({ inProgress, whenAnswered }: Connection): void {
  const isHopeless = ({ request, response }: Exchange): boolean => !request.complete && !response.headersSent
  if ([...inProgress].every(isHopeless)) whenAnswered?.()
}

function connectionOf(socket: Socket): Connection {
  const known = connections.get(socket)
  if (known !== undefined) return known
  const connection: Connection = {
    inProgress: new Set(),
    waiting: [],
    isEnding: false,
    ignored: 0,
    whenAnswered: undefined,
  }
  connections.set(socket, connection)
  // Before version 24 Node does not tell an answer behind another one that their connection has ended.
  socket.once('close', () =>
    setImmediate(() => connection.inProgress.forEach(({ response }) => response.emit('close'))),
  )
  return connection
}

/** Answered in its turn, after all that was taken before it. Node then closes the connection. */
function refuse(connection: Connection, { response }: Exchange, { type, body }: Refusal): void {
  connection.isEnding = true
  response.writeHead(429, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'retry-after': '1',
    connection: 'close',
  })
  response.end(body)
}

function ignore(connection: Connection, request: IncomingMessage): void {
  connection.ignored += 1
  if (connection.ignored <= IGNORED_MAX) return
  request.socket.destroy()
  // One that is destroyed by now is not told why, which costs Node more than all the rest of it.
  request.destroy()
}
