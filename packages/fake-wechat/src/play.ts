// Puts an answer on the wire, or spoils it the way the chosen fault says. Shared by all endpoints.
import { STATUS_CODES } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import { errcodeAnswer } from './answers.ts'
import type { Fault, FaultPlay, OddManner } from './faults.ts'

type SpoilingFault = NonNullable<FaultPlay['fault']>

/** What was answered: the errcode, or null when there was none to read. */
export type Played = { errcode: number | null }

const JSON_TYPE = 'application/json; charset=utf-8'
const page = (title: string): string =>
  `<html>\r\n<head><title>${title}</title></head>\r\n<body><center><h1>${title}</h1></center></body>\r\n</html>\r\n`

/** Whether WeChat processes a request that this fault hits. */
export const isProcessed = (fault: Fault | undefined): boolean => {
  if (fault === undefined) return true
  switch (fault.name) {
    case 'latency':
    case 'accept-then-reset':
    case 'accept-then-hang':
    case 'big-answer':
    case 'odd-answer':
      return true
    case 'hang':
    case 'reset-before':
    case 'code-for-all':
    case 'random-40001':
    case 'fresh-token-refused-for':
    case 'late-45009':
      return false
    case 'errcode':
    case 'html200':
    case 'html502':
    case 'http429':
    case 'http503':
    case 'no-errcode':
    case 'not-json':
    case 'page':
      return fault.accept === true
  }
}

/** Waits for a latency fault; ends early, without an error, when the server closes. */
export const waitLatency = async (latencyMs: number, closing: AbortSignal): Promise<void> => {
  await delay(latencyMs, undefined, { signal: closing }).catch(() => undefined)
}

export const sendJson = (reply: FastifyReply, body: string): void => {
  void reply.header('content-type', JSON_TYPE).send(body)
}

const sendPage = (reply: FastifyReply, status: number, title: string): Played => {
  void reply.code(status).header('content-type', 'text/html').send(page(title))
  return { errcode: null }
}

const sendRefusal = (reply: FastifyReply, status: number, retryAfterS: number | undefined): Played => {
  if (retryAfterS !== undefined) void reply.header('retry-after', String(retryAfterS))
  return sendPage(reply, status, status === 503 ? '503 Service Temporarily Unavailable' : '429 Too Many Requests')
}

/** A connection is reset, not closed: the client must see ECONNRESET and not a tidy end. */
const reset = (reply: FastifyReply): Played => {
  reply.hijack()
  reply.raw.socket?.resetAndDestroy()
  return { errcode: null }
}

const sendErrcode = (reply: FastifyReply, errcode: number, errmsg?: string): Played => {
  sendJson(reply, errcodeAnswer(errcode, Date.now(), errmsg))
  return { errcode }
}

/** The usual answer, in a form that WeChat and what stands before it have been seen to give it. */
const sendOdd = (reply: FastifyReply, manner: OddManner, text: string): Played => {
  const answer: Record<string, unknown> = JSON.parse(text)
  const errcode = typeof answer.errcode === 'number' ? answer.errcode : null
  const forms: Record<OddManner, () => string | Buffer> = {
    'text-errcode': () => JSON.stringify({ ...answer, ...(errcode === null ? {} : { errcode: `${errcode}` }) }),
    bom: () => `\uFEFF${text}`,
    nul: () => `${text}\0\0`,
    control: () => text.replace('{', '{"hint":"a\u0007b\u001B[0m\n",'),
    gzip: () => gzipSync(text),
  }
  // Fastify would say a length and a type of its own for text, and that is right for bytes, too.
  void reply.header('content-type', JSON_TYPE).send(Buffer.from(forms[manner]()))
  return { errcode: errcode ?? 0 }
}

/** Plays a fault in place of the answer `usual`. */
export const playFault = (reply: FastifyReply, fault: SpoilingFault, usual: () => string): Played => {
  switch (fault.name) {
    case 'errcode':
    case 'code-for-all':
      return sendErrcode(reply, fault.errcode, fault.errmsg)
    case 'random-40001':
    case 'fresh-token-refused-for':
      return sendErrcode(reply, 40001)
    case 'late-45009':
      return sendErrcode(reply, 45009)
    case 'page':
      return sendPage(reply, fault.status, `${fault.status} ${STATUS_CODES[fault.status] ?? 'Unknown'}`)
    case 'odd-answer':
      return sendOdd(reply, fault.manner, usual())
    case 'html502':
      return sendPage(reply, 502, '502 Bad Gateway')
    case 'html200':
      return sendPage(reply, 200, 'Welcome')
    case 'http503':
      return sendRefusal(reply, 503, fault.retryAfterS)
    case 'http429':
      return sendRefusal(reply, 429, fault.retryAfterS)
    case 'not-json':
      sendJson(reply, '{"errcode":0,"errm')
      return { errcode: null }
    case 'no-errcode':
      sendJson(reply, '{"errmsg":"ok"}')
      return { errcode: null }
    case 'big-answer': {
      const answer: Record<string, unknown> = JSON.parse(usual())
      sendJson(reply, JSON.stringify({ ...answer, padding: ' '.repeat(fault.bytes) }))
      return { errcode: typeof answer.errcode === 'number' ? answer.errcode : 0 }
    }
    case 'reset-before':
    case 'accept-then-reset':
      return reset(reply)
    case 'hang':
    case 'accept-then-hang':
      // Nobody answers any more: the socket ends with its client or with this server.
      reply.hijack()
      return { errcode: null }
  }
}
