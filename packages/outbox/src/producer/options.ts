/**
 * What an Outbox is made with. It comes from another service's configuration, often from variables that are not set, so it is
 * looked at as a whole before anything is opened: every option that cannot be meant is named, in one error.
 */
import {
  appidSchema,
  ON_CLOSED,
  type OnClosed,
  type Problem,
  REQUEST_BYTES_MAX,
  readWindowRule,
  TEXT_BYTES_MAX_DEFAULT,
  TEXT_BYTES_MAX_MIN,
  type TextRule,
  WINDOW_ACTIONS,
  WINDOW_RULE_FORM,
  WINDOW_RULES_DEFAULT,
  type WindowAction,
  type WindowRule,
  type WindowRules,
} from '@wechat-outbox/messages'
import { misconfigured, OutboxError } from '../errors.ts'
import { parseRedisUrl } from '../redis/url.ts'
import type { OutboxTelemetry } from './telemetry.ts'

export interface OutboxOptions {
  /**
   * `redis://…`, `rediss://…`, several separated by commas for a cluster, or `redis+sentinel://…/master`. Or connections
   * that the process has anyway.
   */
  readonly redis: string | OutboxLink
  /** The app that messages without an `appid` of their own belong to. */
  readonly appid?: string | undefined
  /** For how long a repeat with the same idempotency key is recognised, counted from the later of now and `sendAt`: a year at most. */
  readonly idempotencyTtlHours?: number | undefined
  /** The longest text in bytes of UTF-8. WeChat documents no limit; people report 2048. */
  readonly textBytesMax?: number | undefined
  /** True: a longer text becomes several messages, in order. False, the default: it is refused. */
  readonly textSplit?: boolean | undefined
  /**
   * When `send` resolves. `primary`, the default: Redis has the message; a failover loses what had not reached a replica.
   * `replicated`: a replica has it, too; where none confirms it within a second the call is WXO_UNAVAILABLE, the message may be
   * stored, and repeating it with the same idempotency key is safe.
   */
  readonly durability?: 'primary' | 'replicated' | undefined
  /** Of messages without an `onClosed` of their own. By default the workers' `ON_CLOSED` decides. */
  readonly onClosed?: OnClosed | undefined
  /** What `userActed` opens: rules, or their text (`5/48h`). The defaults are WeChat's: 5 in 48 hours after a message, 2 in a minute after entering. */
  readonly windows?: { readonly [Action in WindowAction]?: WindowRule | string | undefined } | undefined
  /**
   * What BullMQ takes as `telemetry`, for example `new BullMQOtel()` of `bullmq-otel`: each `send` is a span, and its `traceparent` is
   * stored with the message, so that the workers' spans follow it. Without it nothing is traced.
   */
  readonly telemetry?: OutboxTelemetry | undefined
}

/** A connection that the processes of this repository share: the engine makes one (`lazyStore`). Whoever hands it over closes it. */
export interface OutboxLink {
  /**
   * A store on a connection for producing, once that is ready. It is a `Store` of the engine, whose types, and with them those of
   * BullMQ and ioredis, are no part of what a service that sends compiles against.
   * @throws OutboxError WXO_UNAVAILABLE, within a second
   */
  open(): Promise<object>
}

interface OutboxSettings {
  readonly redis: string | OutboxLink
  readonly appid: string | undefined
  readonly ttlMs: number
  readonly texts: TextRule
  readonly isReplicated: boolean
  readonly onClosed: OnClosed | undefined
  readonly windows: WindowRules
  readonly telemetry: OutboxTelemetry | undefined
}

const HOUR_MS = 3_600_000
const TTL_HOURS_DEFAULT = 72
/** A year. */
const TTL_HOURS_MAX = 8760
export const APPID_RULE = 'must be wx and 16 hex digits'

/** What is wrong with a value that was given; undefined: nothing. */
type Check = (value: unknown) => string | undefined
const unless = (isSound: boolean, problem: string): string | undefined => (isSound ? undefined : problem)

const CHECKS: Readonly<Record<keyof OutboxOptions, Check>> = {
  redis: redisProblem,
  appid: (value) => unless(appidSchema.safeParse(value).success, APPID_RULE),
  idempotencyTtlHours: (value) =>
    unless(
      typeof value === 'number' && value > 0 && value <= TTL_HOURS_MAX,
      `must be a number above 0 and at most ${TTL_HOURS_MAX}`,
    ),
  textBytesMax: (value) =>
    unless(
      Number.isInteger(value) && Number(value) >= TEXT_BYTES_MAX_MIN && Number(value) <= REQUEST_BYTES_MAX,
      `must be a whole number from ${TEXT_BYTES_MAX_MIN} to ${REQUEST_BYTES_MAX}`,
    ),
  textSplit: (value) => unless(typeof value === 'boolean', 'must be true or false'),
  onClosed: (value) =>
    unless(
      ON_CLOSED.some((one) => one === value),
      `must be one of ${ON_CLOSED.join(', ')}`,
    ),
  windows: windowsProblem,
  telemetry: (value) =>
    unless(isTelemetry(value), 'must be what BullMQ takes as telemetry: a tracer and a contextManager'),
  durability: (value) => unless(value === 'primary' || value === 'replicated', 'must be primary or replicated'),
}

/** Defaults for what is missing or undefined. @throws OutboxError WXO_CONFIG, with every problem and its path */
export function readOptions(given: unknown): OutboxSettings {
  const problems = problemsOf(given)
  if (problems.length > 0) throw misconfigured(problems)
  const {
    redis,
    appid,
    idempotencyTtlHours = TTL_HOURS_DEFAULT,
    durability,
    onClosed,
    windows,
    telemetry,
    ...texts
  } = given as OutboxOptions
  const { textBytesMax: bytesMax = TEXT_BYTES_MAX_DEFAULT, textSplit: isSplit = false } = texts
  return {
    redis,
    appid,
    ttlMs: idempotencyTtlHours * HOUR_MS,
    texts: { bytesMax, isSplit },
    isReplicated: durability === 'replicated',
    onClosed,
    windows: { ...WINDOW_RULES_DEFAULT, ...rulesOf(windows) },
    telemetry,
  }
}

function problemsOf(given: unknown): Problem[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return [{ path: '', message: 'must be an object with redis' }]
  const options = given as Readonly<Record<string, unknown>>
  const problems = Object.entries(CHECKS).flatMap(([path, check]) => {
    const value = options[path]
    const message = value === undefined && path !== 'redis' ? undefined : check(value)
    return message === undefined ? [] : [{ path, message }]
  })
  // One with a typing error would vanish silently, and its default be used.
  const unknown = Object.keys(options).filter((key) => !Object.hasOwn(CHECKS, key))
  return [...problems, ...unknown.map((key) => ({ path: key, message: 'is not an option' }))]
}

function rulesOf(windows: OutboxOptions['windows'] = {}): Partial<WindowRules> {
  const read = WINDOW_ACTIONS.map((action) => [action, ruleOf(windows[action])] as const)
  return Object.fromEntries(read.filter(([, rule]) => rule !== undefined))
}

function ruleOf(rule: unknown): WindowRule | undefined {
  if (typeof rule === 'string') return readWindowRule(rule)
  const { limit, ms } = (rule ?? {}) as Partial<WindowRule>
  return limit === undefined || ms === undefined ? undefined : readWindowRule(`${limit}/${ms / 1000}s`)
}

function windowsProblem(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `must be an object of ${WINDOW_ACTIONS.join(' and ')}`
  const wrong = Object.entries(value).find(
    ([action, rule]) => !WINDOW_ACTIONS.some((one) => one === action) || (rule !== undefined && !ruleOf(rule)),
  )
  return wrong === undefined ? undefined : `has ${wrong[0]}, which ${WINDOW_RULE_FORM}`
}

function isTelemetry(value: unknown): boolean {
  const { tracer, contextManager } = (value ?? {}) as Readonly<Record<string, unknown>>
  const has = (methods: unknown, name: string): boolean =>
    typeof (methods as Readonly<Record<string, unknown>> | undefined)?.[name] === 'function'
  return (
    has(tracer, 'startSpan') && ['active', 'getMetadata', 'fromMetadata'].every((name) => has(contextManager, name))
  )
}

/** Never holds the URL, which may hold a password. */
function redisProblem(value: unknown): string | undefined {
  if (value === undefined || value === null) return 'is missing: give a URL, for example redis://127.0.0.1:6379'
  if (typeof value === 'string') return urlProblem(value)
  const isLink = typeof value === 'object' && 'open' in value && typeof value.open === 'function'
  return unless(isLink, 'must be a URL, or an object with a method `open` that gives a store')
}

function urlProblem(url: string): string | undefined {
  try {
    parseRedisUrl(url)
    return undefined
  } catch (error) {
    if (error instanceof OutboxError) return `is refused: ${error.message}`
    throw error
  }
}
