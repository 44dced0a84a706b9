/**
 * The words for what went wrong between this process and WeChat. Errors of HTTP clients carry URLs, and these URLs carry tokens: so no
 * message of an error ever leaves this package. What leaves is one of the phrases below and, at most, an error's code.
 */

/** How far a call has come. From `sent` on, bytes of the request may have reached WeChat. */
export type Phase = 'waiting' | 'connecting' | 'sent' | 'answering'

/** What ended a call from this side. */
export type Interruption = 'timeout' | 'aborted' | 'client closed'

const DOING: Readonly<Record<Phase, string>> = {
  waiting: 'while waiting for a connection',
  connecting: 'while connecting',
  sent: 'while waiting for headers',
  answering: 'while reading the answer',
}

export function isWritten(phase: Phase): boolean {
  return phase === 'sent' || phase === 'answering'
}

export function interruptionDetail(interruption: Interruption, phase: Phase): string {
  return `${interruption} ${DOING[phase]}`
}

/** A short phrase for an error of the HTTP client. Never throws, whatever was thrown at it. */
export function faultDetail(error: unknown, phase: Phase): string {
  const code = codeOf(error)
  if (!isWritten(phase)) return connectFault(code, error)
  // The parser's errors do not always have a code.
  if (code === 'UNKNOWN' && propertyOf(error, 'name') === 'HTTPParserError') return 'malformed answer'
  return answerFault(code, phase)
}

/** The same for an error of a call of which nobody has noted how far it came: an error that only connecting can cause shows that by itself. */
export function requestFault(error: unknown): string {
  const code = codeOf(error)
  const isConnecting =
    propertyOf(error, 'syscall') === 'connect' || isOfLookup(error) || TLS_CODE.test(code) || CONNECT_CODES.has(code)
  return faultDetail(error, isConnecting ? 'connecting' : 'sent')
}

const TLS_CODE = /^(?:ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/u
const CONNECT_CODES: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_PRX_CONN', 'ECONNREFUSED'])

function connectFault(code: string, error: unknown): string {
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'timeout while connecting'
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return 'client closed while connecting'
  // CONNECT was answered with another status than 200, or not at all.
  if (code === 'UND_ERR_ABORTED' || code === 'UND_ERR_PRX_CONN') return 'the proxy gives no connection'
  if (TLS_CODE.test(code)) return `tls ${code}`
  return isOfLookup(error) ? `dns ${code}` : `connect ${code}`
}

/** Of the system's resolver, or of c-ares, which names its question: `queryA`. */
function isOfLookup(error: unknown): boolean {
  return /^(?:getaddrinfo$|query)/u.test(String(propertyOf(error, 'syscall')))
}

function answerFault(code: string, phase: Phase): string {
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return interruptionDetail('timeout', phase)
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return interruptionDetail('client closed', phase)
  if (code === 'UND_ERR_SOCKET') return `connection closed ${DOING[phase]}`
  if (code.startsWith('HPE_')) return `malformed answer ${code}`
  return `${code} ${DOING[phase]}`
}

/** Codes are constants such as `ECONNRESET`; anything that does not look like one is not let through. */
function codeOf(error: unknown): string {
  const code = propertyOf(error, 'code')
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/u.test(code)) return code
  // When several addresses were tried, the first failure is reported for all.
  return error instanceof AggregateError && error.errors.length > 0 ? codeOf(error.errors[0]) : 'UNKNOWN'
}

function propertyOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
