// Settings that no Redis accepts are found out by connecting, and told as all other problems of the configuration are.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalRedis, startLocalRedis, startProcess } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { APP } from './support/system.ts'

const ROOT = join(import.meta.dirname, '../..')
const SECRET = 'S3CRETwrong'
let dir = ''
let redis: LocalRedis
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-config-'))
  redis = await startLocalRedis({ dir, args: ['--requirepass', 'right'] })
})
afterAll(async () => {
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

it.each(['worker', 'gateway'])('a %s with a wrong password ends with 1 and says so', async (app) => {
  const env = {
    REDIS_URL: redis.url.replace('redis://', `redis://:${SECRET}@`),
    WECHAT_APP_ID: APP,
    WECHAT_APP_SECRET: SECRET,
    WORKER_PORT: '0',
    GATEWAY_PORT: '0',
  }
  const started = startProcess({ args: [`apps/${app}/src/main.ts`], cwd: ROOT, env })
  expect(await started.exited).toEqual({ code: 1, signal: null })
  expect(started.stderr()).toBe(
    'the configuration is not usable:\n  - Redis refuses the user or the password of the Redis URL\n',
  )
  expect(started.stdout()).not.toContain(SECRET)
  expect(started.stdout()).not.toContain('process.fault')
})
