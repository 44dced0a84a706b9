import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { startLocalRedis } from '@wechat-outbox/sandbox'
import { expect, it } from 'vitest'
import { countCommands, resetCommands, sumOfCalls } from '../src/command-count.ts'

it('counts the commands that a script makes, and the script', { timeout: 60_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-bench-commands-'))
  const redis = await startLocalRedis({ dir })
  const client = connectRedis(redis.url, 'operate')
  try {
    const counting = async (run: () => Promise<unknown>): Promise<number> => {
      await resetCommands(redis)
      await run()
      return countCommands(redis)
    }
    await client.ping()
    const idle = await counting(async () => undefined)
    const script = "for i = 1, 100 do redis.call('INCR', KEYS[1]) end"
    expect((await counting(() => client.eval(script, 1, 'count'))) - idle).toBe(101)
  } finally {
    client.disconnect()
    await redis.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

it('reads nothing but calls', () => {
  const stats =
    '# Commandstats\r\ncmdstat_get:calls=7,usec=9,failed_calls=5\r\ncmdstat_config|resetstat:calls=1,usec=2,rejected_calls=3\r\n'
  expect(sumOfCalls(stats)).toBe(8)
})
