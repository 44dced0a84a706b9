/** The gateway's environment. The table in `docs/configuration.md` is made from these lines and checked against them. */

import { appidSchema } from '@wechat-outbox/messages'
import {
  ConfigError,
  type Environment,
  flag,
  inspectEnv,
  integer,
  logLevel,
  mediaVariables,
  onClosed,
  port,
  proxyOf,
  proxyVariables,
  readHostnames,
  redisUrl,
  text,
  textVariables,
  tracingVariables,
  windowVariables,
  withProxyNames,
} from '@wechat-outbox/runtime'
import { baseUrlProblems, isLoopback, proxyProblems, pushFields } from '@wechat-outbox/wechat'
import { z } from 'zod'
import { readKeys } from './keys.ts'
import { readPushApps } from './push/push-apps.ts'
import { isWeakSecret } from './weak-secret.ts'

export const gatewayEnvSchema = z.object({
  REDIS_URL: redisUrl.describe(
    'The Redis that holds the queues: `redis://`, `rediss://`, several for a cluster, or `redis+sentinel://`',
  ),
  WECHAT_APP_ID: text
    .optional()
    .describe(
      'Known from the start; other apps appear in the dashboard, and are taken messages for, with their first worker',
    ),
  WECHAT_APPS_FILE: text
    .optional()
    .describe(
      'The workers’ JSON file, or a copy without secrets: the gateway reads the `push` of its apps (below); read again when it changes and on SIGHUP',
    ),
  PUSH_TOKEN: pushFields.token
    .optional()
    .describe(
      'The Token of the message push in WeChat’s console, for `WECHAT_APP_ID`. With it the gateway takes WeChat’s own push (`docs/reply-windows.md`)',
    ),
  PUSH_AES_KEY: pushFields.aesKey
    .optional()
    .describe('With it only encrypted pushes are taken (secure and compatible mode), without it only plain ones'),
  PUSH_FORWARD_URL: pushFields.forwardUrl
    .optional()
    .describe('Where each push goes on to, untouched; without it WeChat is answered `success`'),
  ALLOW_UNKNOWN_APPS: flag
    .default(false)
    .describe('Takes messages for apps that no worker has ever served, for a start in another order; they wait'),
  WECHAT_API_BASE_URL: text
    .default('https://api.weixin.qq.com')
    .describe('Where typing and uploads are passed on to: https, or http on loopback'),
  WECHAT_ALLOW_HTTP: flag.default(false).describe('Plain http to any address, as for the worker'),
  ...proxyVariables,
  GATEWAY_HOST: text.default('127.0.0.1').describe('Where the gateway listens'),
  GATEWAY_PORT: port.default(3000).describe('0: a free one, logged'),
  GATEWAY_ALLOWED_HOSTS: text
    .optional()
    .describe(
      'Comma-separated names under which the gateway is reached, for example a proxy’s; loopback names always are allowed, and without this variable any name is on a host that is not loopback',
    ),
  GATEWAY_API_KEYS: text
    .optional()
    .describe(
      'Comma-separated keys of 24 characters or more, for all apps and rights. Without keys the gateway listens on loopback only',
    ),
  GATEWAY_KEYS_FILE: text
    .optional()
    .describe('A JSON file with keys, their apps and rights (below); read again when it changes and on SIGHUP'),
  IDEMPOTENCY_TTL_HOURS: integer(1, 8760)
    .default(72)
    .describe('For how long a repeat with the same idempotency key is recognised, from the later of now and `sendAt`'),
  ...textVariables,
  ON_CLOSED: onClosed
    .optional()
    .describe(
      'What becomes of a message without an `onClosed` while the reply window of its recipient is closed: `dead-letter`, `hold` or `refuse` (`docs/reply-windows.md`). Without it the workers’ own decides',
    ),
  ...windowVariables,
  ...mediaVariables,
  DASHBOARD_USER: text
    .optional()
    .describe('Without user and password `/dashboard` and `/dead-letters` are off on any host but loopback'),
  DASHBOARD_PASSWORD: text
    .optional()
    .describe(
      'HTTP basic; put TLS in front of it. On a host that is not loopback: 12 characters or more, and hard to guess',
    ),
  DASHBOARD_SHOW_CONTENT: flag
    .default(false)
    .describe('Message content and openids in `/dashboard` and `/dead-letters` instead of a mask'),
  LOG_LEVEL: logLevel.default('info').describe('A level of pino'),
  ...tracingVariables,
  SHUTDOWN_TIMEOUT_MS: integer(0, 600_000)
    .default(25_000)
    .describe('What requests in flight get to end in after SIGTERM'),
})

export type GatewayConfig = z.output<typeof gatewayEnvSchema>

/** @throws ConfigError with every problem */
export function readGatewayConfig(env: Environment): GatewayConfig {
  const { values, problems } = inspectEnv(gatewayEnvSchema, withProxyNames(env))
  const { DASHBOARD_USER: user, GATEWAY_API_KEYS: keys, GATEWAY_KEYS_FILE: file, GATEWAY_HOST: host } = values
  if ((user === undefined) !== (values.DASHBOARD_PASSWORD === undefined)) {
    problems.push('DASHBOARD_USER and DASHBOARD_PASSWORD belong together: set both or neither')
  }
  // The one character that separates the two on the wire.
  if (user?.includes(':')) problems.push('DASHBOARD_USER must not contain a colon')
  if (values.WECHAT_APP_ID !== undefined && !appidSchema.safeParse(values.WECHAT_APP_ID).success) {
    problems.push('WECHAT_APP_ID must be wx and 16 hex digits')
  }
  if (readHostnames(values.GATEWAY_ALLOWED_HOSTS) === null) {
    problems.push('GATEWAY_ALLOWED_HOSTS must be names or addresses without ports, separated by commas')
  }
  problems.push(...readKeys(values).problems, ...missingOfPush(env), ...readPushApps(values).problems)
  if (keys === undefined && file === undefined && host !== undefined && !isLoopback(host)) {
    problems.push(
      'GATEWAY_HOST is not a loopback address, so others reach the gateway: set GATEWAY_API_KEYS or GATEWAY_KEYS_FILE (`wxo key new` makes a key)',
    )
  }
  if (host !== undefined && !isLoopback(host)) problems.push(...weakSecrets(values))
  problems.push(...baseUrlProblems(values), ...proxyProblems(proxyOf(values)))
  if (problems.length > 0) throw new ConfigError(problems)
  return values as GatewayConfig
}

function missingOfPush(env: Environment): string[] {
  const { PUSH_TOKEN: token, PUSH_AES_KEY: aesKey, PUSH_FORWARD_URL: forwardUrl, WECHAT_APP_ID: appid } = env
  if (token) return appid ? [] : ['WECHAT_APP_ID is missing: PUSH_TOKEN is for the pushes of that app']
  return aesKey || forwardUrl ? ['PUSH_TOKEN is missing: PUSH_AES_KEY and PUSH_FORWARD_URL belong to it'] : []
}

const PASSWORD_CHARS_MIN = 12

function weakSecrets({
  DASHBOARD_USER: user,
  DASHBOARD_PASSWORD: password,
  GATEWAY_API_KEYS: keys,
}: Partial<GatewayConfig>): string[] {
  const problems: string[] = []
  const isShort = password !== undefined && password.length < PASSWORD_CHARS_MIN
  if (password !== undefined && (isShort || isWeakSecret(password, user === undefined ? [] : [user]))) {
    problems.push(
      `DASHBOARD_PASSWORD is too easy to guess for a host that others reach: set ${PASSWORD_CHARS_MIN} characters or more that are neither a pattern nor a common password`,
    )
  }
  for (const [index, key] of (keys ?? '').split(',').entries()) {
    if (key.trim() === '' || !isWeakSecret(key.trim())) continue
    problems.push(
      `GATEWAY_API_KEYS: key ${index + 1} is too easy to guess for a host that others reach (\`wxo key new\` makes a key)`,
    )
  }
  return problems
}
