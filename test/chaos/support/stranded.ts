/**
 * Looks for messages that wait for nobody: first in their lane, parked, and not woken; or waiting for their user, whose reply window is open. The parked minute heals them, so a
 * run would end well and only be slow; a wake-up that is lost without a crash is a fault all the same.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { appPrefix, type RedisClient } from '@wechat-outbox/outbox/engine'
import { APP } from './cast.ts'

export interface Stranded {
  readonly id: string
  /** When it was first seen so, epoch ms. */
  readonly since: number
}

export interface StrandedWatch {
  stop(): Promise<Stranded[]>
}

const EVERY_MS = 500
const STRANDED_AFTER_MS = 2500
const PARKED_FIRST = `
local id = redis.call('LINDEX', KEYS[1], 0)
if not id or not redis.call('ZSCORE', ARGV[1] .. 'delayed', id) then return false end
local parked = redis.call('HGET', ARGV[1] .. id, 'parked')
if parked == '1' then return id end
if parked ~= 'user' then return false end
local closesAt, used, limit = unpack(redis.call('HMGET', KEYS[2], 'until', 'used', 'limit'))
local isOpen = closesAt and tonumber(closesAt) > redis.call('TIME')[1] * 1000 and tonumber(used) < tonumber(limit)
return isOpen and id or false`

export function watchStranded(redis: RedisClient): StrandedWatch {
  const waiting = new Map<string, number>()
  const found = new Map<string, number>()
  let stopped = false
  const look = async (): Promise<void> => {
    const now = Date.now()
    const lanes = await lanesOf(redis)
    const jobs = `${appPrefix(APP)}:send:`
    const windowOf = (lane: string): string => lane.replace(/:lane:(?=[^:]+$)/, ':window:')
    const first = await Promise.all(lanes.map((lane) => redis.eval(PARKED_FIRST, 2, lane, windowOf(lane), jobs)))
    const ids = new Set(first.filter((id) => typeof id === 'string'))
    for (const id of waiting.keys()) if (!ids.has(id)) waiting.delete(id)
    for (const id of ids) {
      const since = waiting.get(id) ?? now
      waiting.set(id, since)
      if (now - since >= STRANDED_AFTER_MS) found.set(id, since)
    }
  }
  const run = async (): Promise<void> => {
    while (!stopped) {
      await look().catch(() => waiting.clear())
      await sleep(EVERY_MS)
    }
  }
  const running = run()
  return {
    async stop() {
      stopped = true
      await running
      return [...found].map(([id, since]) => ({ id, since }))
    },
  }
}

export async function lanesOf(redis: RedisClient): Promise<string[]> {
  return keysLike(redis, `${appPrefix(APP)}:lane:*`)
}

export async function keysLike(redis: RedisClient, pattern: string): Promise<string[]> {
  const keys = new Set<string>()
  for (const server of 'nodes' in redis ? redis.nodes('master') : [redis]) {
    let cursor = '0'
    do {
      const [next, found] = (await server.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', '2000')) as [string, string[]]
      for (const key of found) keys.add(key)
      cursor = next
    } while (cursor !== '0')
  }
  return [...keys]
}
