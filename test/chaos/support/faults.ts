/** Carries out the schedule of faults on the real parts. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '@wechat-outbox/sandbox'
import { AFTERMATH_MS, CALM_FROM, type FiredFault, isRefusal, type PlannedFault } from './fault-plan.ts'
import { refuse } from './refusals.ts'
import type { Supervised } from './supervise.ts'
import type { World } from './world.ts'

/** A whole system that stands still is met by the next fault rather than waited for. */
const NO_PROGRESS_MS = 5000
const LOOK_EVERY_MS = 10
const INVALIDATIONS_APART_MS = 1500

/**
 * Plays the schedule from beginning to end; what has fired is added to `fired` as it happens. The producers stand still until
 * a fault is due. Of what lies between it and the next they send half before it begins, and half while it lasts: however fast
 * the system is, each fault meets it at work.
 */
export async function playFaults(world: World, faults: readonly PlannedFault[], fired: FiredFault[]): Promise<void> {
  const paused: Promise<void>[] = []
  let isCalm = false
  const becalm = async (): Promise<void> => {
    if (isCalm) return
    isCalm = true
    await Promise.all(paused)
    await sleep(AFTERMATH_MS)
    await world.allow(1)
  }
  let allowed = faults[0]?.at ?? 0
  await world.allow(allowed)
  await progress(world, allowed / 2)
  for (const [place, fault] of faults.entries()) {
    if (fault.at > CALM_FROM) {
      await becalm()
      await progress(world, fault.at)
    }
    const next = Math.min(faults[place + 1]?.at ?? CALM_FROM, CALM_FROM)
    const before = world.progress()
    if (!isCalm) await world.allow((allowed + next) / 2)
    await sleep(fault.waitMs)
    if (fault.kind === 'token-invalidation') await apart(fired)
    const from = Date.now()
    const open = openCalls(world, fault)
    const done = play(world, fault).then((effect) => {
      fired.push({ kind: fault.kind, from, until: Date.now(), open, ...effect })
    })
    if (!isCalm) await world.allow(next)
    // Others go wrong while a worker stands still.
    if (fault.kind === 'worker-stop') paused.push(done)
    else await done
    await sleep(fault.restMs)
    // Half of them: some wait behind a call that was cut off, and the cancelled never arrive.
    if (!isCalm) await progress(world, before + (next - allowed) / 2)
    allowed = next
  }
  await becalm()
}

/** A second refusal within one run is taken for the app's fault, and the message waits a minute: right, but long. */
async function apart(fired: readonly FiredFault[]): Promise<void> {
  const last = fired.findLast(({ kind }) => kind === 'token-invalidation')
  if (last !== undefined) await sleep(Math.max(0, last.from + INVALIDATIONS_APART_MS - Date.now()))
}

async function progress(world: World, share: number): Promise<void> {
  let seen = world.progress()
  let since = performance.now()
  while (world.progress() < share && performance.now() - since < NO_PROGRESS_MS) {
    await sleep(LOOK_EVERY_MS)
    if (world.progress() === seen) continue
    seen = world.progress()
    since = performance.now()
  }
}

/** How many calls to WeChat a fault can leave open, at most: whose answer nobody hears, or nobody is left to record. */
export function openCalls(
  world: Pick<World, 'concurrency' | 'workers' | 'sendTimeoutMs'>,
  { kind, lastsMs }: PlannedFault,
): number {
  const one = world.concurrency
  const all = one * world.workers.length
  switch (kind) {
    case 'worker-kill':
    case 'worker-stop':
      return one
    // A place whose call has timed out takes the next one, which the same stall may hold too.
    case 'wechat-stall':
      return all * (Math.floor(lastsMs / world.sendTimeoutMs) + 1)
    case 'wechat-reset':
    case 'wechat-cut':
    case 'redis-kill':
    case 'redis-reset':
    case 'redis-stall':
    case 'redis-cut':
      return all
    case 'producer-kill':
    case 'producers-reset':
    case 'producers-stall':
    case 'producers-cut':
    case 'token-invalidation':
    case 'refuse-noreplicas':
    case 'refuse-oom':
    case 'refuse-busy':
    case 'refuse-readonly':
    case 'refuse-misconf':
    case 'errors-at-random':
    case 'script-flush':
      return 0
  }
}

async function play(world: World, fault: PlannedFault): Promise<{ refused: number } | undefined> {
  if (isRefusal(fault.kind)) return { refused: await refuse(world, fault) }
  await breakSomething(world, fault)
  return undefined
}

async function breakSomething(world: World, fault: PlannedFault): Promise<void> {
  const { kind, lastsMs } = fault
  switch (kind) {
    case 'worker-kill':
      return pick(world.workers, fault).kill9()
    case 'producer-kill':
      return pick(world.producers, fault).kill9()
    case 'worker-stop': {
      const goOn = pick(world.workers, fault).pause()
      await sleep(lastsMs)
      return goOn()
    }
    case 'redis-kill':
      return world.killRedis(lastsMs)
    case 'token-invalidation':
      return world.fake.control.invalidateTokens()
    default: {
      const [proxy, how] = kind.split('-') as ['wechat' | 'redis' | 'producers', 'reset' | 'stall' | 'cut']
      return spoil(world.proxies[proxy], how, lastsMs)
    }
  }
}

/** One that runs, if there is one: a process that stands still has been hit already. */
function pick(all: readonly Supervised[], { target }: PlannedFault): Supervised {
  const running = all.filter((one) => !one.isStopped())
  const from = running.length > 0 ? running : all
  const one = from[target % from.length]
  if (one === undefined) throw new Error('there is nobody to hit')
  return one
}

async function spoil(proxy: TcpProxy, how: 'reset' | 'stall' | 'cut', lastsMs: number): Promise<void> {
  switch (how) {
    case 'reset':
      return proxy.resetAll()
    case 'stall':
      proxy.stall(true)
      await sleep(lastsMs)
      return proxy.stall(false)
    case 'cut':
      proxy.cutReplies(true)
      await sleep(lastsMs)
      // A stream never misses its middle: what lost a reply ends.
      proxy.resetAll()
      return proxy.cutReplies(false)
  }
}
