/**
 * With credentials it is a service like any other, so its log goes to stdout as JSON, for whatever collects it; the few lines
 * for a person go to stderr.
 */
import { createLogger } from '@wechat-outbox/runtime'
import { readWorkerConfig } from '@wechat-outbox/worker'
import { checkConfig } from './env.ts'
import type { ModeContext } from './mode-context.ts'
import { openLocalRedis, redisLine, redisVariable } from './redis.ts'
import { complain } from './say.ts'
import { startServices } from './services.ts'

/** Stands for the Redis that is yet to be started, while the rest of the configuration is checked. */
const REDIS_TO_COME = 'redis://127.0.0.1:6379'

export async function runReal({ options, env, stop, opened }: ModeContext): Promise<number> {
  const checked = { ...env, REDIS_URL: env['REDIS_URL'] || REDIS_TO_COME }
  checkConfig(checked)
  if (options.once)
    throw new Error('--once sends samples, and real people must not get those: unset WECHAT_… and REDIS_URL')
  const { apps, WECHAT_API_BASE_URL: baseUrl, LOG_LEVEL: level } = readWorkerConfig(checked)
  complain(`wechat-outbox delivers for ${apps.map(({ appid }) => appid).join(', ')} to ${new URL(baseUrl).origin}`)
  const redis = env['REDIS_URL']
    ? undefined
    : await openLocalRedis({ mode: 'real', dataDir: options.dataDir, say: complain, opened, stop })
  const { gatewayUrl, workerUrl } = await startServices({
    env: redis === undefined ? env : { ...env, REDIS_URL: redis.url },
    opened,
    log: (name) => createLogger({ level, name }),
    anyPort: false,
    stop,
  })
  complain(`  operators  ${gatewayUrl}/dead-letters`)
  complain(`  dashboard  ${gatewayUrl}/dashboard`)
  complain(`  docs       ${gatewayUrl}/docs`)
  complain(`  health     ${gatewayUrl}/readyz  ${workerUrl}/readyz`)
  if (redis !== undefined) {
    complain(`  Redis      ${redisLine(redis)}`)
    complain(`  commands   ${redisVariable(redis)} npx -y pnpm@12 wxo status`)
  }
  complain('Ctrl-C ends it.')
  return stop.wanted(0)
}
