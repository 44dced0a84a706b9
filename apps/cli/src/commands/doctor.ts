/** `wxo doctor`: does everything hold on which the promise rests? Every check is made, whatever the others found. */
import {
  isRefusal,
  type RedisClient,
  type RedisHealth,
  readRedisHealth,
  redisUnknowns,
  type Store,
  storeError,
} from '@wechat-outbox/outbox/engine'
import { proxyOf } from '@wechat-outbox/runtime'
import type { Command } from 'commander'
import {
  type CredentialFinding,
  type CredentialFindings,
  credentialProblems,
  credentialText,
  credentialWarnings,
  examineCredentials,
} from '../credentials.ts'
import { examineLanes, type LaneFindings, laneProblem, laneText } from '../examine-lanes.ts'
import { EXIT, failureOf } from '../failure.ts'
import { type Finding, findingsOf, redisFindings } from '../findings.ts'
import type { Lang } from '../lang.ts'
import { type Output, plural, printable, showBytes } from '../output.ts'
import { type Overview, readOverview } from '../overview.ts'
import type { Act } from '../program.ts'
import { type Reachability, reachWechat } from '../reach-wechat.ts'
import type { Session } from '../session.ts'

/** Beyond it, times that processes compare – `sendAt`, expiry, a token's end – are visibly wrong. */
const CLOCK_SKEW_MS_MAX = 1000
/** Sentences of one kind that are printed. */
const PRINTED_MAX = 50

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
  /** Absent while Redis is away, as are the others. */
  readonly lanes?: LaneFindings
  readonly apps?: AppFindings
  readonly credentials?: CredentialFindings
}

/** What Redis knows of the apps, as `wxo status` reports it. */
interface AppFindings {
  readonly overview?: Overview
  readonly findings: readonly Finding[]
  readonly error?: string
}

export function addDoctor(program: Command, act: Act): void {
  program
    .command('doctor')
    .description(
      'check Redis (persistence, eviction, memory, clock), the lanes that keep messages in order, whether every app with messages ' +
        'is served and not suspended, the way to WeChat, and the credentials of WECHAT_APP_SECRET or WECHAT_APPS_FILE; 1 when something is wrong',
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
  const apps = redis.reachable ? await examineApps(session) : undefined
  const credentials = apps?.overview && (await examineCredentials(session, apps.overview, wechat.reachable))
  const found = { ...(lanes && { lanes }), ...(apps && { apps }), ...(credentials && { credentials }) }
  const findings: Findings = { redis, wechat, ...found }
  const { output } = session
  const problems = problemsOf(findings, output.lang)
  const unclear = credentials === undefined ? [] : credentialWarnings(credentials, output.lang)
  const warnings = [...warningsOf(redis), ...unclear, ...messagesOf(apps, 'notice')]
  if (output.json) printDocument(output, findings, { problems, warnings })
  else printDiagnosis(output, findings, { problems, warnings })
  return problems.length === 0 ? EXIT.done : EXIT.failed
}

async function examineApps(session: Session): Promise<AppFindings> {
  try {
    const overview = await readOverview(session)
    return { overview, findings: findingsOf(overview, session.output.lang) }
  } catch (error) {
    return { findings: [], error: failureOf(error).message }
  }
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

/** The most severe first: what is wrong with Redis, the apps, the way to WeChat, the lanes. */
function problemsOf({ redis, wechat, lanes, apps, credentials }: Findings, lang: Lang): string[] {
  const { reachable, error, health } = redis
  const problems = health === undefined ? [] : redisFindings(health).map(({ message }) => message)
  if (!reachable || error !== undefined) problems.unshift(error ?? 'Redis is not available')
  if (apps?.error !== undefined) problems.push(`The apps cannot be looked at: ${apps.error}.`)
  problems.push(...messagesOf(apps, 'problem'))
  if (!wechat.reachable) problems.push(`WeChat (${wechat.host}) does not answer: ${wechat.error}.`)
  if (credentials !== undefined) problems.push(...credentialProblems(credentials, lang))
  return lanes === undefined ? problems : [...problems, ...[laneProblem(lanes) ?? []].flat()]
}

/** Those on Redis itself have been said, as its health was examined. */
function messagesOf(apps: AppFindings | undefined, level: Finding['level']): string[] {
  const found = (apps?.findings ?? []).filter((one) => one.level === level)
  return found.filter(({ kind }) => kind !== 'redis' && kind !== 'memory').map(({ message }) => message)
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

interface Verdict {
  /** What has to be put right: exit code 1. */
  readonly problems: readonly string[]
  /** What is worth knowing. */
  readonly warnings: readonly string[]
}

function printDocument(output: Output, findings: Findings, { problems, warnings }: Verdict): void {
  const { redis, wechat, lanes, apps, credentials } = findings
  const { health, ...rest } = redis
  const unserved = apps && { items: apps.overview?.unserved ?? [], ...(apps.error && { error: apps.error }) }
  const found = {
    ...(lanes && { lanes }),
    ...(unserved && { unserved }),
    ...(apps && { findings: apps.findings }),
    ...(credentials && { credentials: credentials.items }),
  }
  output.document({ ok: problems.length === 0, problems, warnings, redis: { ...rest, ...health }, ...found, wechat })
}

function printDiagnosis(output: Output, findings: Findings, { problems, warnings }: Verdict): void {
  const { redis, wechat, lanes, apps, credentials } = findings
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
  if (apps?.overview !== undefined) row('apps', appsText(apps.overview))
  row('WeChat', wechatText(wechat))
  const items = credentials?.items ?? []
  for (const item of items.slice(0, PRINTED_MAX)) {
    const app = apps?.overview?.apps.find(({ appid }) => appid === item.appid)
    row('credential', credentialText(item, app))
  }
  if (items.length > PRINTED_MAX) row('', `and ${items.length - PRINTED_MAX} more: --json lists them all`)
  output.line()
  printSome(output, output.style('red', '✗'), problems)
  printSome(output, output.style('yellow', '!'), warnings)
  if (problems.length === 0) output.line(`${output.style('green', '✓')} ${soundText(items)}`)
  else output.line(`\n${plural(problems.length, 'problem')} to put right.`)
}

/** What was not tried is not sound for that. */
function soundText(credentials: readonly CredentialFinding[]): string {
  const untried = credentials.filter(({ result }) => result === 'not-checked').length
  return untried === 0
    ? 'Nothing is wrong.'
    : `Nothing is wrong of what was checked; the credential of ${plural(untried, 'app')} was not.`
}

function printSome(output: Output, mark: string, sentences: readonly string[]): void {
  for (const sentence of sentences.slice(0, PRINTED_MAX)) output.line(`${mark} ${printable(sentence)}`)
  const more = sentences.length - PRINTED_MAX
  if (more > 0) output.line(`${mark} and ${more} more: --json lists them all.`)
}

function appsText({ apps, unserved }: Overview): string {
  if (unserved.length > 0) return `not all that have messages are served`
  const served = apps.filter((app) => app.served).length
  return apps.length === 0 ? 'none yet' : `${served} of ${apps.length} served by a worker`
}
