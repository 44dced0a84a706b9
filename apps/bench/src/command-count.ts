/**
 * How many commands a Redis has run, those inside scripts included: what a message costs there, told without a clock. Redis counts them
 * itself, a script's call and each command that it makes.
 */
import { connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import type { LocalRedis } from '@wechat-outbox/sandbox'

const CALLS = /^cmdstat_[^:]+:calls=(\d+)/gm

export const resetCommands = (redis: LocalRedis): Promise<unknown> =>
  ask(redis, (client) => client.call('CONFIG', 'RESETSTAT'))

/** Since `resetCommands`. */
export async function countCommands(redis: LocalRedis): Promise<number> {
  return sumOfCalls(await ask(redis, (client) => client.info('commandstats')))
}

export function sumOfCalls(commandstats: string): number {
  return [...commandstats.matchAll(CALLS)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

async function ask<T>(redis: LocalRedis, question: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = connectRedis(redis.url, 'operate')
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}
