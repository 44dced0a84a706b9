/**
 * Redis answers, and says no. Where Redis itself can be made to refuse, it does: it then refuses in the middle of a script,
 * too, at the first write. What it cannot easily be brought to, or only for everybody, the proxies before it say in its place:
 * to one worker, to all of them, to the producers, or to all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  askRedis,
  type Fate,
  type OnCommand,
  REDIS_ERRORS,
  type RedisErrorName,
  type RedisProxy,
} from '@wechat-outbox/sandbox'
import type { PlannedFault } from './fault-plan.ts'
import { createRandom, type Random } from './random.ts'
import type { World } from './world.ts'

/** What of the world refusals need. */
type Refusing = Pick<World, 'redisPort' | 'seenBy' | 'writeCommands'>
type Redis = Pick<World, 'redisPort'>

/** One command in so many is answered with an error while errors come at random. */
const ONE_IN = 15
/** Other scripts may run this long, so that only the one that loops makes Redis busy. */
const BUSY_AFTER_MS = 20
const KILL_EVERY_MS = 5
const LOOP_MS_MAX = 60_000

/** Plays one refusal from beginning to end. Returns how many commands were refused. */
export async function refuse(world: Refusing, fault: PlannedFault): Promise<number> {
  switch (fault.kind) {
    case 'refuse-noreplicas':
      return during(world, fault, ['NOREPLICAS', 'min-replicas-to-write', '1', '0'])
    case 'refuse-oom':
      return during(world, fault, ['OOM', 'maxmemory', '1', '0'])
    case 'refuse-busy':
      return loop(world, fault.lastsMs)
    case 'script-flush':
      return flushScripts(world)
    case 'refuse-readonly':
      return through(hit(world, fault), fault, refuseWrites(world, 'READONLY'))
    case 'refuse-misconf':
      return through(hit(world, fault), fault, refuseWrites(world, 'MISCONF'))
    default:
      return through(everyone(world), fault, errorsAtRandom(world, createRandom(fault.target)))
  }
}

/** Sends one command by the straight way. @throws Error when Redis refuses it */
async function command(world: Redis, text: string, timeoutMs?: number): Promise<string> {
  const reply = await askRedis(world.redisPort(), text, timeoutMs)
  if (reply.startsWith('-')) throw new Error(`Redis refused ${text}: ${reply}`)
  return reply
}

/**
 * How long a refusal goes on that has met nobody yet: a system that has just lost its connections may be silent for a
 * while, and a refusal that nobody hears shows nothing.
 */
const UNHEARD_MS_MAX = 20_000
const LOOK_EVERY_MS = 20

/** Waits so long, and then until somebody was refused. Returns how many commands were. */
async function refusing(lastsMs: number, refused: () => number | Promise<number>): Promise<number> {
  const before = await refused()
  const deadline = performance.now() + lastsMs + UNHEARD_MS_MAX
  await sleep(lastsMs)
  while ((await refused()) === before && performance.now() < deadline) await sleep(LOOK_EVERY_MS)
  return (await refused()) - before
}

async function during(
  world: Refusing,
  { lastsMs }: PlannedFault,
  [name, setting, on, off]: [RedisErrorName, string, string, string],
): Promise<number> {
  await command(world, `CONFIG SET ${setting} ${on}`)
  const refused = await refusing(lastsMs, () => refusedSoFar(world, name))
  await command(world, `CONFIG SET ${setting} ${off}`)
  return refused
}

/** A script that loops: Redis is silent for a moment, and then tells everybody that it is busy. */
async function loop(world: Refusing, lastsMs: number): Promise<number> {
  await command(world, `CONFIG SET busy-reply-threshold ${BUSY_AFTER_MS}`)
  const before = await refusedSoFar(world, 'BUSY')
  const looping = askRedis(world.redisPort(), 'EVAL "while true do end" 0', LOOP_MS_MAX)
  await sleep(BUSY_AFTER_MS + lastsMs)
  while ((await askRedis(world.redisPort(), 'SCRIPT KILL', LOOP_MS_MAX)) !== '+OK') await sleep(KILL_EVERY_MS)
  await looping
  await command(world, 'CONFIG SET busy-reply-threshold 5000')
  return (await refusedSoFar(world, 'BUSY')) - before
}

/** Every script is unknown from one moment to the next. It has hit once somebody has been told so. */
async function flushScripts(world: Refusing): Promise<number> {
  const before = await refusedSoFar(world, 'NOSCRIPT')
  await command(world, 'SCRIPT FLUSH')
  await refusing(0, () => refusedSoFar(world, 'NOSCRIPT'))
  return (await refusedSoFar(world, 'NOSCRIPT')) - before
}

/** How often this Redis has answered with such an error since it was started. */
async function refusedSoFar(world: Redis, name: RedisErrorName): Promise<number> {
  const [, count = '0'] =
    new RegExp(`errorstat_${name}:count=(\\d+)`).exec(await command(world, 'INFO errorstats')) ?? []
  return Number(count)
}

function hit({ seenBy }: Refusing, { target }: PlannedFault): readonly RedisProxy[] {
  const one = seenBy.workers[Math.floor(target / 4) % seenBy.workers.length]
  const choices = [
    one === undefined ? [] : [one],
    seenBy.workers,
    [seenBy.producers],
    [...seenBy.workers, seenBy.producers],
  ]
  return choices[target % choices.length] ?? []
}

function everyone({ seenBy }: Refusing): readonly RedisProxy[] {
  return [...seenBy.workers, seenBy.producers]
}

async function through(proxies: readonly RedisProxy[], { lastsMs }: PlannedFault, rule: OnCommand): Promise<number> {
  for (const proxy of proxies) proxy.setOnCommand(rule)
  const refused = await refusing(lastsMs, () => proxies.reduce((sum, proxy) => sum + proxy.counts().refused, 0))
  for (const proxy of proxies) proxy.setOnCommand()
  return refused
}

/** A script counts as a write: what it does inside, a proxy does not see. */
const isWrite = (world: Refusing, name: string): boolean =>
  name === 'eval' || name === 'evalsha' || world.writeCommands.has(name)

function refuseWrites(world: Refusing, error: RedisErrorName): OnCommand {
  return ([name = '']) => (isWrite(world, name) ? { refuse: REDIS_ERRORS[error] } : undefined)
}

const TO_WRITES = ['READONLY', 'NOREPLICAS', 'OOM', 'BUSY', 'MISCONF', 'LOADING'] as const
/** What anything but a write may be told. */
const TO_READS = ['BUSY', 'LOADING'] as const
/** Sent when a connection is made. Whoever hears an error then makes another one, which is a broken connection’s fault. */
const HANDSHAKE = new Set(['hello', 'auth', 'select', 'client', 'info', 'subscribe', 'psubscribe', 'readonly'])

function errorsAtRandom(world: Refusing, random: Random): OnCommand {
  return ([name = '']): Fate => {
    if (HANDSHAKE.has(name) || random.between(1, ONE_IN) > 1) return undefined
    const names: readonly RedisErrorName[] = [
      ...(isWrite(world, name) ? TO_WRITES : TO_READS),
      ...(name === 'evalsha' ? (['NOSCRIPT'] as const) : []),
    ]
    const error = names[random.between(0, names.length - 1)]
    return error === undefined ? undefined : { refuse: REDIS_ERRORS[error] }
  }
}
