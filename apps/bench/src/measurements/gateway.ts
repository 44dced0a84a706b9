/** Storing over HTTP: the gateway with its keys, its checks and its answers, beside fastify and `queue.add`. */
import type { LocalRedis, StartedProcess } from '@wechat-outbox/sandbox'
import { type Measurement, pick } from '../measurement.ts'
import { atLeast, compared } from '../row.ts'
import { APP, SIDES, type Side } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { flush } from '../turn.ts'
import { resultOf, STARTED_MS_MAX, type World } from '../world.ts'

const NAME = 'gateway'
const KEY = 'a-key-of-the-bench-for-all-apps'
const PATH = `/v1/apps/${APP}/messages`

function startGateway(world: World, side: Side, redis: LocalRedis): StartedProcess {
  if (side === 'plain') return world.role('plain-gateway', { url: redis.url, key: KEY })
  const env = { REDIS_URL: redis.url, WECHAT_APP_ID: APP, GATEWAY_PORT: '0', GATEWAY_API_KEYS: KEY }
  // Its first line, which names the port, is one of `info`.
  return world.program('apps/gateway/src/main.ts', { ...env, LOG_LEVEL: 'info' })
}

async function urlOf(server: StartedProcess): Promise<string> {
  return (await server.waitForLine(/"url":"(http[^"]+)"/, STARTED_MS_MAX))[1] ?? ''
}

/** Whether this gateway takes messages over HTTP at all. */
async function hasV1(world: World, redis: LocalRedis): Promise<boolean> {
  const server = startGateway(world, 'outbox', redis)
  const { status } = await fetch((await urlOf(server)) + PATH, { method: 'POST' })
  await server.stop()
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
      const server = startGateway(world, side, redis[side])
      const url = await urlOf(server)
      const role = world.role('http-load', { url, path: PATH, key: KEY, warmUp: Math.ceil(count / 4), count })
      const load = await resultOf<{ perSecond: number; p99: number }>(role)
      await server.stop()
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
