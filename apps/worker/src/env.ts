/** The worker's environment. The table in `docs/configuration.md` is made from these lines and checked against them. */

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
  tracingVariables,
  withProxyNames,
} from '@wechat-outbox/runtime'
import { type AppConfig, baseUrlProblems, callbackFields, proxyProblems, receiverProblem } from '@wechat-outbox/wechat'
import { z } from 'zod'
import { type AppVariables, readApps } from './apps.ts'
import { parseShard, type Selection, selectApps } from './select-apps.ts'

const appList = z
  .string()
  .transform((value) => value.split(',').map((name) => name.trim()))
  .pipe(z.array(appidSchema))
  .catch((): never[] => [])
  .refine((names) => names.length > 0, 'must be appids, separated by commas')

const shard = z
  .string()
  .transform(parseShard)
  .refine((value) => value !== undefined, 'must be a part of parts: 1/4 to 4/4')

export const workerEnvSchema = z.object({
  REDIS_URL: redisUrl.describe(
    'The Redis that holds the queues: `redis://`, `rediss://`, several for a cluster, or `redis+sentinel://`',
  ),
  WECHAT_APP_ID: text.optional().describe('The one Mini Program'),
  WECHAT_APP_SECRET: text.optional().describe('Its secret'),
  WECHAT_APPS_FILE: text
    .optional()
    .describe(
      'A JSON file with several: `[{"appid","secret","concurrency"?,"maxPerSecond"?,"token"?,"push"?,"callback"?,"onClosed"?}]`; read again on SIGHUP',
    ),
  WORKER_APPS: appList.optional().describe('Serve only these of the configured apps. Default: all'),
  WORKER_SHARD: shard.optional().describe('Serve one part of them: `1/4` of four workers’. Default: all'),
  WECHAT_API_BASE_URL: text
    .default('https://api.weixin.qq.com')
    .describe('Where WeChat is: https, or http on loopback'),
  WECHAT_ALLOW_HTTP: flag
    .default(false)
    .describe('Plain http to any address: in WeChat’s cloud hosting, or to a reverse proxy inside'),
  ...proxyVariables,
  WORKER_CONCURRENCY: integer(1, 10_000).default(64).describe('Calls in flight per app and process'),
  SEND_TIMEOUT_MS: integer(100, 600_000).default(5000).describe('One HTTP call, in milliseconds'),
  PROBE_EVERY_MS: integer(100, 3_600_000)
    .default(60_000)
    .describe('The longest time between two probes of a held app, in milliseconds; they begin with 15 s and 30 s'),
  RETRY_ATTEMPTS_MAX: integer(1, 1000).default(16).describe('Tries per message, the first included'),
  RETRY_BACKOFF_MS: integer(1, 3_600_000).default(1000).describe('First backoff; it doubles, with full jitter'),
  RETRY_BACKOFF_MS_MAX: integer(1, 86_400_000).default(300_000).describe('The longest backoff'),
  IDEMPOTENCY_TTL_HOURS: integer(1, 8760).default(72).describe('For how long an ended message’s last word is kept'),
  RETAIN_DELIVERED_HOURS: integer(0, 8760).default(24).describe('For how long delivered messages are kept, per app'),
  RETAIN_DELIVERED_MAX: integer(0, 10_000_000)
    .default(10_000)
    .describe('How many delivered messages are kept, per app'),
  RETAIN_DEAD_DAYS: integer(1, 3650).default(30).describe('Older dead letters are removed, counted and logged'),
  RETAIN_CONTENT: flag
    .default(true)
    .describe(
      '`false` takes the content out of a message in the step that delivers it: ids, codes, times and `metadata` stay (`docs/privacy.md`)',
    ),
  RETAIN_DEAD_CONTENT_DAYS: integer(0, 3650)
    .optional()
    .describe(
      'Older dead letters lose their content and cannot be replayed any more (`not-replayable`). Default: `RETAIN_DEAD_DAYS`',
    ),
  ON_CLOSED: onClosed
    .default('dead-letter')
    .describe(
      'What becomes of a message without an `onClosed` while the reply window of its recipient is closed: `dead-letter` or `hold` (`docs/reply-windows.md`)',
    ),
  HOLD_MAX_DAYS: integer(1, 365)
    .default(7)
    .describe(
      'A message that waits for its user and has no `expiresAt` is dead as `unanswered` after this. One that waits already when this is raised waits for longer, too; one that waits when it is lowered keeps what it had',
    ),
  ...mediaVariables,
  MEDIA_ALLOWED_HOSTS: text
    .optional()
    .describe(
      'Comma-separated names and addresses, without ports, of servers of pictures that may be private addresses; all others must be public ones (`docs/media.md`)',
    ),
  CALLBACK_URL: callbackFields.url
    .optional()
    .describe(
      'Where the outcomes of messages of `WECHAT_APP_ID` are told (`docs/callbacks.md`): https. Per app in the apps file: `callback: {url, secret, events?}`',
    ),
  CALLBACK_SECRET: callbackFields.secret
    .optional()
    .describe('What signs these calls: `whsec_` and the base64 of 24 to 64 random bytes'),
  CALLBACK_ALLOWED_HOSTS: text
    .optional()
    .describe(
      'Comma-separated names and addresses, without ports, of receivers of callbacks that may have private addresses and be called by plain http',
    ),
  REPLAY_MAX_PER_SECOND: integer(0, 1_000_000).default(200).describe('Replays per second and app; 0 for no limit'),
  STALLED_AFTER_MS: integer(1000, 3_600_000)
    .default(10_000)
    .describe('A dead worker’s messages are taken over after about this; at least `SEND_TIMEOUT_MS` + 2000'),
  WORKER_HOST: text.default('127.0.0.1').describe('Where `/healthz`, `/readyz` and `/metrics` listen'),
  WORKER_ALLOWED_HOSTS: text
    .optional()
    .describe(
      'Comma-separated names under which `/metrics` is asked for; loopback names always are allowed, and without this variable, on a host that is not loopback, addresses, names without a dot, `.local` and `.internal`',
    ),
  WORKER_PORT: port.default(9464).describe('0: a free one, logged'),
  LOG_LEVEL: logLevel.default('info').describe('A level of pino'),
  ...tracingVariables,
  SHUTDOWN_TIMEOUT_MS: integer(0, 600_000).default(25_000).describe('What calls in flight get to end in after SIGTERM'),
})

export type WorkerConfig = z.output<typeof workerEnvSchema> & { readonly apps: readonly AppConfig[] }

/** @throws ConfigError with every problem, of the variables and of the apps */
export function readWorkerConfig(env: Environment): WorkerConfig {
  const { values, problems } = inspectEnv(workerEnvSchema, withProxyNames(env))
  const read = readApps(env)
  problems.push(...read.problems)
  const apps = read.problems.length === 0 ? selectApps(read.apps, values, problems) : []
  problems.push(...receiverProblems(apps, values))
  const { STALLED_AFTER_MS: stalledMs = Infinity, SEND_TIMEOUT_MS: sendMs = 0 } = values
  if (stalledMs < sendMs + 2000) {
    problems.push(
      'STALLED_AFTER_MS must be at least SEND_TIMEOUT_MS + 2000: a message must not be taken over while its call is open',
    )
  }
  const { RETAIN_DEAD_DAYS: deadDays = Infinity, RETAIN_DEAD_CONTENT_DAYS: contentDays = 0 } = values
  if (contentDays > deadDays) problems.push('RETAIN_DEAD_CONTENT_DAYS must not be more than RETAIN_DEAD_DAYS')
  const { RETRY_BACKOFF_MS: backoffMs = 0, RETRY_BACKOFF_MS_MAX: backoffMsMax = Infinity } = values
  if (backoffMsMax < backoffMs) problems.push('RETRY_BACKOFF_MS_MAX must be at least RETRY_BACKOFF_MS')
  if (readHostnames(values.WORKER_ALLOWED_HOSTS) === null) {
    problems.push('WORKER_ALLOWED_HOSTS must be names or addresses without ports, separated by commas')
  }
  for (const name of ['MEDIA_ALLOWED_HOSTS', 'CALLBACK_ALLOWED_HOSTS'] as const) {
    if (readHostnames(values[name]) !== null) continue
    problems.push(`${name} must be names or addresses without ports, separated by commas`)
  }
  problems.push(...proxyProblems(proxyOf(values)), ...baseUrlProblems(values))
  if (problems.length > 0) throw new ConfigError(problems)
  return { ...(values as z.output<typeof workerEnvSchema>), apps }
}

/** The apps as they stand in the file now, while everything else stays as it was read. @throws ConfigError */
export function rereadApps(config: AppVariables & Selection & AllowedHosts): AppConfig[] {
  const { apps, problems } = readApps(config)
  const selected = problems.length === 0 ? selectApps(apps, config, problems) : []
  problems.push(...receiverProblems(selected, config))
  if (problems.length > 0) throw new ConfigError(problems)
  return selected
}

interface AllowedHosts {
  readonly CALLBACK_ALLOWED_HOSTS?: string | undefined
}

/** Where the variable itself cannot be read, nothing is held against a receiver. */
function receiverProblems(apps: readonly AppConfig[], { CALLBACK_ALLOWED_HOSTS: list }: AllowedHosts): string[] {
  const allowed = readHostnames(list)
  if (allowed === null) return []
  return apps.flatMap(({ appid, callback }) => {
    const isReadable = callback !== undefined && callbackFields.url.safeParse(callback.url).success
    const problem = isReadable ? receiverProblem(callback.url, allowed ?? []) : undefined
    return problem === undefined ? [] : [`the callback.url of ${appid} ${problem}`]
  })
}
