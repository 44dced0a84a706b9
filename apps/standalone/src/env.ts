/**
 * Which of the two modes it is, and whether the configuration is good, before anything is started: a wrong number should not
 * be found out by a Redis that must be stopped again.
 */
import { readGatewayConfig } from '@wechat-outbox/gateway'
import { ConfigError, type Environment } from '@wechat-outbox/runtime'
import { readWorkerConfig } from '@wechat-outbox/worker'

const CREDENTIALS = ['WECHAT_APP_ID', 'WECHAT_APP_SECRET', 'WECHAT_APPS_FILE'] as const

/** Only who gave neither credentials nor a Redis gets the sandbox: half a configuration is a mistake, and does not ask for the sandbox. */
export function modeOf(env: Environment): 'sandbox' | 'real' {
  return CREDENTIALS.some((name) => env[name]) || env['REDIS_URL'] ? 'real' : 'sandbox'
}

/** @throws ConfigError with the problems of the worker and the gateway together */
export function checkConfig(env: Environment): void {
  const problems = [readWorkerConfig, readGatewayConfig].flatMap((read) => problemsOf(() => read(env)))
  if (problems.length > 0) throw new ConfigError([...new Set(problems)])
}

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
