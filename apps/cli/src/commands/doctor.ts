/** `wxo doctor`: is the ground sound on which the promise stands? Every check is made, whatever the others found. */
import {
  isRefusal,
  type RedisClient,
  type RedisHealth,
  readRedisHealth,
  redisProblems,
  redisUnknowns,
  type Store,
  storeError,
} from '@wechat-outbox/outbox/engine'
import { proxyOf } from '@wechat-outbox/runtime'
import type { Command } from 'commander'
import { examineLanes, type LaneFindings, laneProblem, laneText } from '../examine-lanes.ts'
import { EXIT, failureOf } from '../failure.ts'
import { type Output, plural, printable, showBytes } from '../output.ts'
import type { Act } from '../program.ts'
import { type Reachability, reachWechat } from '../reach-wechat.ts'
import type { Session } from '../session.ts'
import { examineUnserved, type UnservedFindings, unservedProblems } from '../unserved.ts'

/** Beyond it, times that processes compare – `sendAt`, expiry, a token's end – are visibly wrong. */
const CLOCK_SKEW_MS_MAX = 1000
const MEMORY_SHARE_MAX = 0.9

interface RedisFindings {
  readonly reachable: boolean
  readonly error?: string
  readonly pingMs?: number
  /** Redis's clock minus ours. */
  readonly clockSkewMs?: number
  readonly health?: RedisHealth
}

interface Findings {
  readonly redis: RedisFindings
  readonly wechat: Reachability
  /** Absent while Redis is away. */
  readonly lanes?: LaneFindings
  /** Absent while Redis is away. */
  readonly unserved?: UnservedFindings
  /** What has to be put right: exit code 1. */
  readonly problems: readonly string[]
  /** What is worth knowing. */
  readonly warnings: readonly string[]
}

export function addDoctor(program: Command, act: Act): void {
  program
    .command('doctor')
    .description(
      'check Redis (persistence, eviction, memory, clock), the lanes that keep messages in order, whether every app with messages ' +
        'is served, and the way to WeChat; 1 when something is wrong',
    )
    .option('--repair', 'mend lanes that disagree with the queue, beside workers that go on running')
    .action((options: { repair?: boolean }) => act((session) => doctor(session, options)))
}

async function doctor(session: Session, { repair = false }: { repair?: boolean }): Promise<number> {
  const env = session.env()
  const { WECHAT_API_BASE_URL: baseUrl, WECHAT_ALLOW_HTTP: allowHttp } = env
  const way = reachWechat({ baseUrl, allowHttp, proxy: proxyOf(env) })
  const [redis, wechat] = await Promise.all([examineRedis(session), way])
  const lanes = redis.reachable ? await examineLanes(session, repair) : undefined
  const unserved = redis.reachable ? await examineUnserved(session) : undefined
  const laneProblems = lanes === undefined ? [] : [laneProblem(lanes) ?? []].flat()
  const unservedApps = unserved === undefined ? [] : unservedProblems(unserved)
  const problems = [...problemsOf(redis, wechat), ...laneProblems, ...unservedApps]
  const found = { ...(lanes && { lanes }), ...(unserved && { unserved }) }
  const findings: Findings = { redis, wechat, ...found, problems, warnings: warningsOf(redis) }
  const ok = findings.problems.length === 0
  const { output } = session
  if (output.json) {
    const { health, ...rest } = redis
    output.document({
      ok,
      problems: findings.problems,
      warnings: findings.warnings,
      redis: { ...rest, ...health },
      ...found,
      wechat,
    })
  } else printFindings(output, findings)
  return ok ? EXIT.done : EXIT.failed
}

async function examineRedis(session: Session): Promise<RedisFindings> {
  let store: Store
  try {
    store = await session.store()
  } catch (error) {
    return { reachable: false, error: failureOf(error).message }
  }
  try {
    const { redis } = store
    const pingMs = await ping(redis)
    const clockSkewMs = await clockSkew(redis)
    return { reachable: true, pingMs, clockSkewMs, health: await readRedisHealth(redis) }
  } catch (error) {
    return { reachable: isRefusal(error), error: failureOf(storeError(error)).message }
  }
}

/** The best of three: the first pays for what the connection has still to set up. */
async function ping(redis: RedisClient): Promise<number> {
  const tries: number[] = []
  for (let count = 0; count < 3; count += 1) {
    const start = performance.now()
    await redis.ping()
    tries.push(performance.now() - start)
  }
  return Math.round(Math.min(...tries) * 100) / 100
}

/** Redis is taken to have looked at its clock halfway between question and answer. */
async function clockSkew(redis: RedisClient): Promise<number> {
  const before = Date.now()
  const [seconds, microseconds] = await redis.time()
  const halfwayMs = (before + Date.now()) / 2
  return Math.round(Number(seconds) * 1000 + Number(microseconds) / 1000 - halfwayMs)
}

function problemsOf({ reachable, error, health }: RedisFindings, wechat: Reachability): string[] {
  const problems = health === undefined ? [] : redisProblems(health)
  if (!reachable || error !== undefined) problems.unshift(error ?? 'Redis is not available')
  const { usedMemoryBytes = 0, maxMemoryBytes = 0 } = health ?? {}
  if (maxMemoryBytes > 0 && usedMemoryBytes > maxMemoryBytes * MEMORY_SHARE_MAX) {
    const share = `${showBytes(usedMemoryBytes)} of ${showBytes(maxMemoryBytes)}`
    problems.push(`Redis is almost full (${share}): at its limit it takes no new messages. Raise \`maxmemory\`.`)
  }
  if (!wechat.reachable) problems.push(`WeChat (${wechat.host}) does not answer: ${wechat.error}.`)
  return problems
}

/** Exported for its limit alone: a test cannot set a machine's clock. */
export function warningsOf({ clockSkewMs = 0, health }: Pick<RedisFindings, 'clockSkewMs' | 'health'>): string[] {
  const warnings: string[] = []
  if (Math.abs(clockSkewMs) > CLOCK_SKEW_MS_MAX) {
    const seconds = (Math.abs(clockSkewMs) / 1000).toFixed(1)
    const where = clockSkewMs > 0 ? 'ahead of' : 'behind'
    warnings.push(`The clock of Redis is ${seconds} s ${where} this machine's: check the time service on both.`)
  }
  if (health !== undefined) warnings.push(...redisUnknowns(health))
  if (health?.maxMemoryBytes === 0) {
    warnings.push('Redis has no memory limit: the system may kill it before it refuses messages. Set `maxmemory`.')
  }
  return warnings
}

const UNJUDGED = 'cannot be judged'

function persistenceText({ appendOnly, appendFsync }: RedisHealth): string {
  if (appendOnly === undefined) return UNJUDGED
  if (!appendOnly) return 'no append-only file: a restart or a power cut loses every message'
  switch (appendFsync) {
    case 'always':
      return 'append-only file, fsync always: a power cut loses no accepted message'
    case 'everysec':
      return 'append-only file, fsync everysec: a power cut may lose the last second or two of accepted messages'
    case 'no':
      return 'append-only file, fsync left to the system: a power cut may lose half a minute of accepted messages'
    default:
      return `append-only file; its fsync ${UNJUDGED}, and what a power cut loses depends on it`
  }
}

function memoryText({ usedMemoryBytes, maxMemoryBytes }: RedisHealth): string {
  if (usedMemoryBytes === undefined || maxMemoryBytes === undefined) return UNJUDGED
  return `${showBytes(usedMemoryBytes)} used, ${maxMemoryBytes === 0 ? 'no limit' : `limit ${showBytes(maxMemoryBytes)}`}`
}

/** Whoever looks at a sandbox should see that it is one. */
function wechatText({ reachable, host, isLocal, ms }: Reachability): string {
  const what = isLocal ? ', which is this machine: the fake WeChat of a sandbox, or a reverse proxy' : ''
  return reachable ? `${host} answers in ${ms} ms${what}` : `${host} not reachable${what}`
}

function printFindings(output: Output, { redis, wechat, lanes, unserved, problems, warnings }: Findings): void {
  const row = (name: string, text: string): void =>
    output.line(`${output.style('bold', name.padEnd(12))} ${printable(text)}`)
  const { health, pingMs, clockSkewMs = 0 } = redis
  const answers = pingMs === undefined ? 'answers' : `answers in ${pingMs} ms`
  row('Redis', redis.reachable ? `${health?.version ?? 'version unknown'}, ${answers}` : 'not reachable')
  if (health !== undefined) {
    row('persistence', persistenceText(health))
    row('eviction', health.evictionPolicy ?? UNJUDGED)
    row('memory', memoryText(health))
    row('clock', `${Math.abs(clockSkewMs)} ms apart from this machine's`)
  }
  if (lanes !== undefined) row('lanes', laneText(lanes))
  if (unserved !== undefined)
    row('apps', unserved.items.length === 0 ? 'every app with messages is served' : 'not all are served')
  row('WeChat', wechatText(wechat))
  output.line()
  for (const problem of problems) output.line(`${output.style('red', '✗')} ${printable(problem)}`)
  for (const warning of warnings) output.line(`${output.style('yellow', '!')} ${printable(warning)}`)
  if (problems.length === 0) output.line(`${output.style('green', '✓')} Nothing is wrong.`)
  else output.line(`\n${plural(problems.length, 'problem')} to put right.`)
}
