/** Storing over HTTP: the gateway with its keys, its checks and its answers, beside fastify and `queue.add`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { freeLoopbackPort, type LocalRedis, type StartedProcess } from '@wechat-outbox/sandbox'
import { type Measurement, pick } from '../measurement.ts'
import { atLeast, compared } from '../row.ts'
import { APP, SIDES, type Side } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { flush } from '../turn.ts'
import { resultOf, STARTED_MS_MAX, type World } from '../world.ts'

const NAME = 'gateway'
const LOOK_EVERY_MS = 20
const KEY = 'a-key-of-the-bench-for-all-apps'
const PATH = `/v1/apps/${APP}/messages`

interface Server {
  readonly process: StartedProcess
  readonly url: string
}

async function startGateway(world: World, side: Side, redis: LocalRedis): Promise<Server> {
  if (side === 'plain') {
    const process = world.role('plain-gateway', { url: redis.url, key: KEY })
    return { process, url: (await process.waitForLine(/"url":"(http[^"]+)"/, STARTED_MS_MAX))[1] ?? '' }
  }
  const port = String(await freeLoopbackPort())
  const env = { REDIS_URL: redis.url, WECHAT_APP_ID: APP, GATEWAY_PORT: port, GATEWAY_API_KEYS: KEY }
  const process = world.program('apps/gateway/src/main.ts', { ...env, LOG_LEVEL: 'warn' })
  const url = `http://127.0.0.1:${port}`
  await untilReady(url)
  return { process, url }
}

/** With `warn` it says nothing of itself. */
async function untilReady(url: string): Promise<void> {
  const until = performance.now() + STARTED_MS_MAX
  while (
    !(await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > until) throw new Error('the gateway is not ready')
    await sleep(LOOK_EVERY_MS)
  }
}

/** Whether this gateway takes messages over HTTP at all. */
async function hasV1(world: World, redis: LocalRedis): Promise<boolean> {
  const { process, url } = await startGateway(world, 'outbox', redis)
  const { status } = await fetch(url + PATH, { method: 'POST' })
  await process.stop()
  return status !== 404
}

export const gateway: Measurement = {
  name: NAME,
  rows: [NAME, `${NAME}/p99`],
  isOptional: true,
  async run(world, size) {
    const count = pick(size, 20_000, 300)
    const redis = { outbox: await world.redis(), plain: await world.redis() }
    if (!(await hasV1(world, redis.outbox))) {
      size.progress(`${NAME} left out: it takes no messages`)
      return []
    }
    const loads = await inTurns(size.turns, SIDES, async (side) => {
      await flush(redis[side])
      const { process, url } = await startGateway(world, side, redis[side])
      const role = world.role('http-load', { url, path: PATH, key: KEY, warmUp: Math.ceil(count / 4), count })
      const load = await resultOf<{ perSecond: number; p99: number }>(role)
      await process.stop()
      size.progress(`${NAME} ${side} ${Math.round(load.perSecond)}/s, p99 ${load.p99.toFixed(1)} ms`)
      return load
    })
    const figure = (side: Side, of: 'perSecond' | 'p99'): number[] => loads[side].map((load) => load[of])
    const what = 'Enqueue over HTTP, 64 connections, beside fastify and `queue.add`'
    return [
      compared(
        { name: NAME, what, unit: 'requests/s', target: atLeast(0.9) },
        figure('outbox', 'perSecond'),
        figure('plain', 'perSecond'),
      ),
      compared(
        { name: `${NAME}/p99`, what: '… an answer takes, p99', unit: 'ms' },
        figure('outbox', 'p99'),
        figure('plain', 'p99'),
      ),
    ]
  },
}
