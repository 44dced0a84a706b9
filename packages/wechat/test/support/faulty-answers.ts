/**
 * Everything that may come back over a connection on which the request was written, and what it has to be taken for.
 * Wherever a text can stand, it repeats the request: so the same list serves to look for leaks.
 */
import type { Socket } from 'node:net'
import type { Outcome } from '@wechat-outbox/messages'
import { answer } from './raw-server.ts'

export interface FaultyAnswer {
  readonly name: string
  readonly respond: (socket: Socket, request: string) => void
  readonly outcome: Outcome
}

/** For answers that hang. */
export const HANG_TIMEOUT_MS = 150
/** For faults that end by themselves: long enough that the timeout is never what ends them, on a busy machine either. */
export const PATIENCE_MS = 20_000
export const ANSWER_BYTES_MAX = 2048

const unsure = (detail: string): Outcome => {
  const [, status] = /^HTTP (\d+)/u.exec(detail) ?? []
  return status === undefined ? { kind: 'unsure', detail } : { kind: 'unsure', detail, status: Number(status) }
}
/** The timeout of a client that meets this outcome. */
export const limitFor = (outcome: Outcome): number =>
  'detail' in outcome && outcome.detail.startsWith('timeout') ? HANG_TIMEOUT_MS : PATIENCE_MS

const html = (request: string) => `<html><body>Bad gateway: ${request}</body></html>`
const write = (text: (request: string) => string) => (socket: Socket, request: string) =>
  void socket.write(text(request))
const hangHead = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"errcode":0'

export const FAULTY_ANSWERS: readonly FaultyAnswer[] = [
  {
    name: 'a reset after the request was read',
    respond: (socket) => socket.resetAndDestroy(),
    outcome: unsure('ECONNRESET while waiting for headers'),
  },
  {
    name: 'a connection that is closed without an answer',
    respond: (socket) => socket.end(),
    outcome: unsure('connection closed while waiting for headers'),
  },
  { name: 'no answer at all', respond: () => {}, outcome: unsure('timeout while waiting for headers') },
  {
    name: 'headers that do not end',
    respond: write(() => 'HTTP/1.1 200 OK\r\nx-slow: yes\r\n'),
    outcome: unsure('timeout while waiting for headers'),
  },
  {
    name: 'early hints and then nothing',
    respond: write(() => 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'),
    outcome: unsure('timeout while waiting for headers'),
  },
  {
    name: 'a body that does not end',
    respond: write(() => hangHead),
    outcome: unsure('timeout while reading the answer'),
  },
  {
    name: 'a body that is cut short',
    respond: (socket) => socket.end(hangHead),
    outcome: unsure('connection closed while reading the answer'),
  },
  {
    name: 'a chunked body that is cut short',
    respond: (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{"errcode":0\r\n'),
    outcome: unsure('connection closed while reading the answer'),
  },
  {
    name: 'an answer that is not HTTP',
    respond: write((request) => `nonsense ${request}\r\n\r\n`),
    outcome: unsure('malformed answer'),
  },
  {
    name: 'HTML with 502',
    respond: write((request) => answer(html(request), '502 Bad Gateway')),
    outcome: unsure('HTTP 502'),
  },
  {
    name: 'JSON with 500, whatever its errcode',
    respond: write(() => answer('{"errcode":0,"errmsg":"ok"}', '500 Oops')),
    outcome: unsure('HTTP 500'),
  },
  {
    name: 'HTML with 200',
    respond: write((request) => answer(html(request))),
    outcome: unsure('HTTP 200 without a JSON object'),
  },
  {
    name: 'HTML with 404',
    respond: write((request) => answer(html(request), '404 Not Found')),
    outcome: unsure('HTTP 404 without a JSON object'),
  },
  {
    name: 'a redirect',
    respond: write(() => answer('', '302 Found', ['location: /elsewhere'])),
    outcome: unsure('HTTP 302 without a JSON object'),
  },
  {
    name: 'an empty body',
    respond: write(() => answer('')),
    outcome: unsure('HTTP 200 without a JSON object'),
  },
  {
    name: 'a JSON array',
    respond: write(() => answer('[0]')),
    outcome: unsure('HTTP 200 without a JSON object'),
  },
  ...['""', '"ok"', '"0x0"', '"1e3"', '1.5', '1e300', 'null', 'true', '[0]'].map((errcode) => ({
    name: `an errcode that is ${errcode}`,
    respond: write(() => answer(`{"errcode":${errcode},"errmsg":"ok"}`)),
    outcome: unsure('HTTP 200 without a numeric errcode'),
  })),
  {
    name: 'JSON without an errcode',
    respond: write(() => answer('{}')),
    outcome: unsure('HTTP 200 without a numeric errcode'),
  },
  {
    name: 'an answer that is too large',
    respond: write((request) => answer(`{"errcode":0,"errmsg":"${'x'.repeat(ANSWER_BYTES_MAX)}"}${request}`)),
    outcome: unsure(`answer larger than ${ANSWER_BYTES_MAX} bytes`),
  },
  {
    name: '503 with Retry-After in seconds',
    respond: write((request) => answer(html(request), '503 Service Unavailable', ['retry-after: 7'])),
    outcome: { kind: 'refused', status: 503, retryAfterMs: 7000 },
  },
  {
    name: '429 with a date that is past',
    respond: write(() => answer('', '429 Slow', ['retry-after: Wed, 21 Oct 2015 07:28:00 GMT'])),
    outcome: { kind: 'refused', status: 429, retryAfterMs: 0 },
  },
  {
    name: '429 with a Retry-After that makes no sense',
    respond: write((request) =>
      answer('{"errcode":0}', '429 Slow', [`retry-after: ${encodeURI(request).slice(0, 99)}`]),
    ),
    outcome: { kind: 'refused', status: 429 },
  },
  {
    name: 'a page with 404 that is too large',
    respond: write((request) => answer(html('x'.repeat(ANSWER_BYTES_MAX) + request), '404 Not Found')),
    outcome: unsure('HTTP 404 without a JSON object'),
  },
  ...[403, 407, 411, 412].flatMap((status) => [
    {
      name: `HTML with ${status}`,
      respond: write((request) => answer(html(request), `${status} No`)),
      outcome: { kind: 'refused', status } satisfies Outcome,
    },
    {
      name: `a page with ${status} that is too large`,
      respond: write((request) => answer(html('x'.repeat(ANSWER_BYTES_MAX) + request), `${status} No`)),
      outcome: { kind: 'refused', status } satisfies Outcome,
    },
  ]),
  {
    name: '503 that breaks off',
    respond: (socket) => socket.end('HTTP/1.1 503 Away\r\ncontent-length: 100\r\n\r\n<html>'),
    outcome: { kind: 'refused', status: 503 },
  },
]
