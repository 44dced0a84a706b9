// What goes wrong between a sender and WeChat, on request: each rule says which requests it hits, how often, and
// what then happens. Several rules may stand at once: all latencies that hit are added up, and of the others the
// first in order of arrival plays. This file only chooses; `play.ts` carries it out.
import { seededRandom } from './seeded-random.ts'

/**
 * `accept: true` on those that answer: WeChat takes the message and spoils only the answer (default false).
 * - latency: the answer comes after minMs to maxMs; the message is taken on arrival
 * - errcode: this errcode, with this errmsg or a usual one
 * - html502, html200: a proxy's page; http503, http429: refused, with Retry-After when retryAfterS is given
 * - reset-before: the connection is reset and the message not taken; accept-then-reset: taken, then reset
 * - hang: not taken, no answer until the server closes; accept-then-hang: taken, no answer
 * - big-answer: taken, an answer of at least `bytes`; not-json, no-errcode: as their names say
 * - odd-answer: taken, the usual answer in a form that takes some reading
 * - page: a gateway's or proxy's page with this status
 * - code-for-all: like errcode, for whatever is sent
 * - random-40001: 40001 now and then (rate 0.05 if the rule has none), although the token is good
 * - fresh-token-refused-for: 40001 as long as the token is younger than `ms`
 * - late-45009: 45009 until the rule has stood for `forMs`, at the token endpoint if the rule names none
 */
export type Fault =
  | { name: 'latency'; minMs: number; maxMs: number }
  | { name: 'errcode'; errcode: number; errmsg?: string; accept?: boolean }
  | { name: 'html502' | 'html200' | 'not-json' | 'no-errcode'; accept?: boolean }
  | { name: 'http503' | 'http429'; retryAfterS?: number; accept?: boolean }
  | { name: 'big-answer'; bytes: number }
  | { name: 'odd-answer'; manner: OddManner }
  | { name: 'page'; status: number; accept?: boolean }
  | { name: 'code-for-all'; errcode: number; errmsg?: string }
  | { name: 'random-40001' }
  | { name: 'fresh-token-refused-for'; ms: number }
  | { name: 'late-45009'; forMs: number }
  | { name: 'reset-before' | 'accept-then-reset' | 'hang' | 'accept-then-hang' }

export type OddManner = 'text-errcode' | 'bom' | 'nul' | 'control' | 'gzip'
export type FaultName = Fault['name']
/** Those that need nothing more. */
export type PlainFaultName = Exclude<FaultName, keyof typeof PROBLEMS>

export type Endpoint = 'send' | 'token' | 'media'

export type FaultRule = {
  /** Default `send`. `media`: uploads. */
  endpoint?: Endpoint
  /** Share of the matching requests that are hit, 0 to 1. Default 1. */
  rate?: number
  /** The rule ends after this many hits. Default: it stays until it is cleared. */
  times?: number
  appid?: string
  touser?: string
  match?: { contentIncludes?: string }
  /** A fault, or just its name if it needs nothing more. */
  fault: Fault | PlainFaultName
}

export type ActiveFault = FaultRule & { id: number; fault: Fault; hits: number }

/** What a rule is compared with. `rawBody` is the request's body as it came, `tokenAgeMs` the age of a known token. */
export type FaultTarget = {
  endpoint: Endpoint
  appid: string | null
  touser: string | null
  rawBody: string
  tokenAgeMs?: number
}

/** What is to be played for one request. */
export type FaultPlay = { latencyMs: number; fault?: Exclude<Fault, { name: 'latency' }>; name?: FaultName }

export type Faults = {
  /** Adds a rule and returns its id. Throws a TypeError that names what is wrong with it. */
  add: (rule: FaultRule) => number
  list: () => ActiveFault[]
  /** Removes one rule, or all. */
  clear: (id?: number) => void
  /** Chooses for one request and counts the hits. */
  choose: (target: FaultTarget) => FaultPlay
  reset: () => void
}

// A record and not a list, so that the compiler finds a name that is missing here.
const PLAIN_NAMES: Record<PlainFaultName, true> = {
  html502: true,
  html200: true,
  'not-json': true,
  'no-errcode': true,
  http503: true,
  http429: true,
  'reset-before': true,
  'accept-then-reset': true,
  hang: true,
  'accept-then-hang': true,
  'random-40001': true,
}
const ENDPOINTS: readonly Endpoint[] = ['send', 'token', 'media']
const RULES_MAX = 1000
const LATENCY_MS_MAX = 600_000
const DURATION_MS_MAX = 86_400_000
const ANSWER_BYTES_MAX = 256 * 1024 * 1024
const NOTHING: FaultPlay = { latencyMs: 0 }

const isWithin = (value: unknown, min: number, max: number): boolean =>
  typeof value === 'number' && value >= min && value <= max

const ODD_MANNERS: readonly OddManner[] = ['text-errcode', 'bom', 'nul', 'control', 'gzip']
const RANDOM_40001_RATE = 0.05

/** What may be wrong with a fault that has fields, by its name. */
const PROBLEMS = {
  latency: ({ minMs, maxMs }: Fields) =>
    isWithin(minMs, 0, LATENCY_MS_MAX) && isWithin(maxMs, Number(minMs), LATENCY_MS_MAX)
      ? null
      : `fault.minMs and fault.maxMs must be 0 <= minMs <= maxMs <= ${LATENCY_MS_MAX}`,
  errcode: errcodeProblem,
  'code-for-all': errcodeProblem,
  'big-answer': ({ bytes }: Fields) =>
    isWithin(bytes, 0, ANSWER_BYTES_MAX) ? null : `fault.bytes must be 0 to ${ANSWER_BYTES_MAX}`,
  'odd-answer': ({ manner }: Fields) =>
    ODD_MANNERS.some((one) => one === manner) ? null : `fault.manner must be one of ${ODD_MANNERS.join(', ')}`,
  page: ({ status }: Fields) =>
    Number.isInteger(status) && isWithin(status, 200, 599) ? null : 'fault.status must be 200 to 599',
  'fresh-token-refused-for': ({ ms }: Fields) =>
    isWithin(ms, 0, LATENCY_MS_MAX) ? null : `fault.ms must be 0 to ${LATENCY_MS_MAX}`,
  'late-45009': ({ forMs }: Fields) =>
    isWithin(forMs, 0, DURATION_MS_MAX) ? null : `fault.forMs must be 0 to ${DURATION_MS_MAX}`,
}

type Fields = Readonly<Record<string, unknown>>

function errcodeProblem({ errcode }: Fields): string | null {
  return Number.isSafeInteger(errcode) ? null : 'fault.errcode must be an integer'
}

const problemOf = (fault: Fault): string | null => {
  const { name } = fault
  if (Object.hasOwn(PROBLEMS, name)) return PROBLEMS[name as keyof typeof PROBLEMS](fault)
  return Object.hasOwn(PLAIN_NAMES, name) ? null : 'fault.name is not one of the known faults'
}

/** Rules also come in over HTTP, so the types alone prove nothing. */
const checkedFault = (rule: FaultRule): Fault => {
  const fault = typeof rule.fault === 'string' ? ({ name: rule.fault } as Fault) : rule.fault
  if (typeof fault !== 'object' || fault === null) throw new TypeError('fault must be a name or an object')
  const problem = problemOf(fault)
  if (problem !== null) throw new TypeError(problem)
  if (!isWithin(rule.rate ?? 1, 0, 1)) throw new TypeError('rate must be 0 to 1')
  if (!isWithin(rule.times ?? 1, 1, Number.MAX_SAFE_INTEGER)) throw new TypeError('times must be at least 1')
  if (!ENDPOINTS.includes(rule.endpoint ?? 'send')) throw new TypeError('endpoint must be send, token or media')
  return fault
}

type StandingRule = ActiveFault & { addedAt: number }

const matches = (rule: StandingRule, target: FaultTarget, nowMs: number): boolean =>
  (rule.endpoint ?? 'send') === target.endpoint &&
  (rule.appid === undefined || rule.appid === target.appid) &&
  (rule.touser === undefined || rule.touser === target.touser) &&
  (rule.match?.contentIncludes === undefined || target.rawBody.includes(rule.match.contentIncludes)) &&
  isDue(rule, target, nowMs)

/** Some faults are a matter of time. */
const isDue = ({ fault, addedAt }: StandingRule, { tokenAgeMs }: FaultTarget, nowMs: number): boolean => {
  if (fault.name === 'fresh-token-refused-for') return tokenAgeMs !== undefined && tokenAgeMs < fault.ms
  return fault.name !== 'late-45009' || nowMs < addedAt + fault.forMs
}

/** What a rule leaves out and its fault implies. */
const usual = (fault: Fault): Partial<FaultRule> => {
  if (fault.name === 'random-40001') return { rate: RANDOM_40001_RATE }
  return fault.name === 'late-45009' ? { endpoint: 'token' } : {}
}

/** Opens an empty list of rules; the same seed and the same requests give the same hits. */
export const openFaults = (seed: number, now: () => number = Date.now): Faults => {
  let random = seededRandom(seed)
  let rules: StandingRule[] = []
  let lastId = 0

  const clear = (id?: number): void => {
    rules = id === undefined ? [] : rules.filter((rule) => rule.id !== id)
  }
  /** Chance is asked only where the rule matches, so other traffic does not change who is hit. */
  const hits = (rule: StandingRule, target: FaultTarget): boolean =>
    matches(rule, target, now()) && (rule.rate === undefined || random() < rule.rate)
  const spend = (rule: StandingRule): void => {
    rule.hits += 1
    if (rule.hits >= (rule.times ?? Infinity)) clear(rule.id)
  }

  return {
    add: (rule) => {
      const fault = checkedFault(rule)
      if (rules.length >= RULES_MAX) throw new TypeError(`no more than ${RULES_MAX} rules at once`)
      lastId += 1
      rules = [...rules, { ...usual(fault), ...rule, fault, id: lastId, hits: 0, addedAt: now() }]
      return lastId
    },
    list: () => rules.map(({ addedAt: _addedAt, ...rule }) => rule),
    clear,
    choose: (target) => {
      if (rules.length === 0) return NOTHING
      const play: FaultPlay = { latencyMs: 0 }
      for (const rule of rules) {
        const fault = rule.fault
        if (fault.name !== 'latency' && play.fault !== undefined) continue
        if (!hits(rule, target)) continue
        spend(rule)
        if (fault.name === 'latency') play.latencyMs += fault.minMs + random() * (fault.maxMs - fault.minMs)
        else play.fault = fault
      }
      if (play.fault !== undefined) play.name = play.fault.name
      else if (play.latencyMs > 0) play.name = 'latency'
      return play
    },
    reset: () => {
      clear()
      random = seededRandom(seed)
    },
  }
}
