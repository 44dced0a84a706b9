/**
 * An incident as an operator meets it: thousands of messages are dead of three codes, one app has a wrong secret, another one no worker.
 * All of it is real – Redis, worker, gateway, Prometheus where the machine has it – but WeChat, which is the sandbox's.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StartedProcess } from '@wechat-outbox/sandbox'
import { ROOT } from '../../scripts/run.ts'
import { inParallel } from '../e2e/support/load.ts'
import { type Prometheus, startPrometheus } from '../e2e/support/prometheus.ts'
import { APP, SECRET, type System, startSystem, text } from '../e2e/support/system.ts'
import { until } from '../support/until.ts'

export { APP }
export const WRONG_SECRET_APP = 'wx00000000000bad01'
export const NO_WORKER_APP = 'wx00000000000bad02'

/** Messages for each person whose window is closed or used up: as many as the next action allows. */
export const EACH = 5
const AT_ONCE = 16
/** What one call takes. */
const BATCH = 1000
const DEATHS_MS_MAX = 180_000
/** More than the default of 200 a second, with which the replays alone would take 50 s. */
export const REPLAY_PER_SECOND = 500

export interface Sizes {
  /** People whose messages died of 45015 before the two hours that are asked for, and in them. */
  readonly earlier: number
  readonly recent: number
  /** People of 45047, and those whose openid is wrong. */
  readonly usedUp: number
  readonly unknown: number
}

export interface Scene {
  readonly system: System
  readonly worker: StartedProcess
  readonly urls: { readonly worker: string; readonly gateway: string }
  readonly prometheus: Prometheus | undefined
  /** What `wxo` finds around it. */
  readonly environment: Record<string, string>
  /** Openids. */
  readonly people: { readonly [Group in keyof Sizes]: readonly string[] }
  /** Dead letters by errcode. */
  readonly dead: Readonly<Record<'45015' | '45047' | '40003', number>>
  readonly total: number
  /** ISO 8601: since when the recent ones have died; the earlier ones were dead by then. */
  readonly since: string
  close(): Promise<void>
}

/** 1: 10,000 of 45015 of 2,000 people, 500 of 45047, 300 of 40003. */
function sizesOf(scale: number): Sizes {
  const people = (count: number): number => Math.max(4, Math.round(count * scale))
  return { earlier: people(1600), recent: people(400), usedUp: people(100), unknown: people(300) }
}

export interface SceneOptions {
  /** Default: where the machine has one. */
  readonly withPrometheus?: boolean
  /** Gets, while the scene is set up, what ends its parts: for whoever may have to give up. */
  readonly closers?: (() => Promise<unknown>)[]
}

export async function startScene(
  scale: number,
  { withPrometheus = hasPrometheus(), closers = [] }: SceneOptions = {},
): Promise<Scene> {
  const close = (): Promise<void> => closeAll(closers)
  try {
    const started = await startProcesses(scale, { withPrometheus, closers })
    return { ...started, ...(await letDie(started, sizesOf(scale))), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What was started last uses what was started first. */
export async function closeAll(closers: (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close()
}

async function startProcesses(scale: number, { withPrometheus, closers }: Required<SceneOptions>) {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-incident-'))
  closers.push(() => rm(dir, { recursive: true, force: true }))
  const appsFile = join(dir, 'apps.json')
  await writeFile(appsFile, JSON.stringify([{ appid: WRONG_SECRET_APP, secret: 'a0secret0with0a0typing0error' }]))
  const env = {
    WECHAT_APPS_FILE: appsFile,
    REPLAY_MAX_PER_SECOND: String(REPLAY_PER_SECOND),
    // Like the numbers of people, so that what is slow is as slow for few as for many.
    WORKER_CONCURRENCY: String(Math.max(4, Math.round(64 * scale))),
    SEND_TIMEOUT_MS: '10000',
    STALLED_AFTER_MS: '15000',
  }
  const starting = startSystem({ workers: 0, env })
  closers.push(() => starting.then((system) => system.close()))
  const system = await starting
  await system.fake.app(WRONG_SECRET_APP, 'the0right0secret')
  const worker = await system.worker()
  const [, workerUrl = ''] = /"worker.started".*"url":"([^"]+)"/.exec(worker.stdout()) ?? []
  const urls = { worker: workerUrl, gateway: await system.gateway() }
  const jobs = { 'wxo-worker': urls.worker, 'wxo-gateway': urls.gateway }
  const prometheus = withPrometheus ? await startPrometheus(jobs, join(ROOT, 'docs/alerts.yml')) : undefined
  if (prometheus !== undefined) closers.push(() => prometheus.close())
  return {
    system,
    worker,
    urls,
    prometheus,
    environment: { ...system.env, WECHAT_APP_ID: APP, WECHAT_APP_SECRET: SECRET },
  }
}

/** Debian's package `prometheus`. */
function hasPrometheus(): boolean {
  return spawnSync('prometheus', ['--version'], { stdio: 'ignore' }).error === undefined
}

async function letDie(scene: Pick<Scene, 'system' | 'urls'>, sizes: Sizes) {
  const { system } = scene
  const named = (group: string, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `o${group}-${String(n).padStart(4, '0')}`)
  const people = {
    earlier: named('Earlier', sizes.earlier),
    recent: named('Recent', sizes.recent),
    usedUp: named('UsedUp', sizes.usedUp),
    // The fake WeChat knows none of that name.
    unknown: named('Unknown', sizes.unknown),
  }
  await forEach([...people.earlier, ...people.recent], (openid) => system.fake.user(openid, 'close'))
  await forEach(people.usedUp, (openid) => system.fake.user(openid, 'exhaust'))
  for (const appid of [WRONG_SECRET_APP, NO_WORKER_APP])
    await system.outbox.send({ appid, ...text('oAnybody-0001', 'hello') })

  const dead = { 45015: people.earlier.length * EACH, 45047: people.usedUp.length * EACH, 40003: people.unknown.length }
  await send(system, [...people.earlier, ...people.usedUp], EACH)
  await send(system, people.unknown, 1)
  await untilDead(scene, dead[45015] + dead[45047] + dead[40003])
  const since = new Date(Date.now() + 1).toISOString()
  dead[45015] += people.recent.length * EACH
  const total = dead[45015] + dead[45047] + dead[40003]
  await until('the clock', () => Promise.resolve(Date.now() > Date.parse(since)), { everyMs: 1 })
  await send(system, people.recent, EACH)
  await untilDead(scene, total)
  await writeAgain(system, people)
  return { people, dead, total, since }
}

/** What makes a replay worth while: people write again, and their windows are open. */
async function writeAgain({ fake, outbox }: System, people: Scene['people']): Promise<void> {
  await forEach([...people.earlier, ...people.recent], (openid) => fake.user(openid, 'message'))
  await forEach(halfOf(people.usedUp), async (openid) => {
    await fake.user(openid, 'message')
    await outbox.userActed({ touser: openid, action: 'message' })
  })
}

/** Those of 45047 who write again, which is reported. */
export const halfOf = (people: readonly string[]): string[] => people.slice(0, Math.ceil(people.length / 2))

async function forEach(people: readonly string[], act: (openid: string) => Promise<void>): Promise<void> {
  const one = (n: number): Promise<void> => act(people[n] ?? '')
  await inParallel(AT_ONCE, one, (n) => n < people.length)
}

/** What a message says tells its place among those of its person. */
export const contentOf = (openid: string, n: number): string => `${openid} ${n}`

/** One of each person after the other, so that everybody's stand between those of others. */
async function send({ outbox }: System, people: readonly string[], each: number): Promise<void> {
  for (let n = 1; n <= each; n += 1) {
    for (let from = 0; from < people.length; from += BATCH) {
      const some = people.slice(from, from + BATCH)
      const results = await outbox.sendMany(some.map((openid) => text(openid, contentOf(openid, n))))
      const refused = results.find((result) => 'error' in result)
      if (refused !== undefined) throw new Error('a message was not accepted', { cause: refused })
    }
  }
}

async function untilDead({ urls }: Pick<Scene, 'urls'>, count: number): Promise<void> {
  const areDead = async (): Promise<boolean> => {
    const answer = await fetch(`${urls.gateway}/v1/apps/${APP}/dead-letters:count`)
    return ((await answer.json()) as { total?: number }).total === count
  }
  await until(`${count} dead letters`, areDead, { timeoutMs: DEATHS_MS_MAX })
}
