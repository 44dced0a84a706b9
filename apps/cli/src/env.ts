/** What `wxo` reads from the environment. Read when a command needs it, so that `--help` works anywhere. */
import { appidSchema } from '@wechat-outbox/messages'
import {
  ConfigError,
  type Environment,
  flag,
  inspectEnv,
  integer,
  proxyVariables,
  redisUrl,
  text,
  textVariables,
  withProxyNames,
} from '@wechat-outbox/runtime'
import { baseUrlProblems } from '@wechat-outbox/wechat'
import { z } from 'zod'

const MISSING_REDIS =
  'is missing: set it to the Redis of the outbox, for example redis://127.0.0.1:6379 (redis://, rediss://, ' +
  'several separated by commas for a cluster, or redis+sentinel://host:port,host:port/master-name). Where `start` keeps ' +
  'a Redis of its own, it prints what to set: REDIS_URL=$(cat .data/redis-sandbox/url) for the sandbox'

const schema = z.object({
  REDIS_URL: z.string({ error: MISSING_REDIS }).pipe(redisUrl),
  WECHAT_APP_ID: appidSchema.optional(),
  // What `doctor` tries; nothing else here has a use for it.
  WECHAT_APP_SECRET: text.optional(),
  WECHAT_APPS_FILE: text.optional(),
  WECHAT_API_BASE_URL: text.default('https://api.weixin.qq.com'),
  WECHAT_ALLOW_HTTP: flag.default(false),
  ...proxyVariables,
  // Where pictures from files are uploaded through.
  WXO_GATEWAY_URL: text.optional(),
  WXO_API_KEY: text.optional(),
  IDEMPOTENCY_TTL_HOURS: integer(1, 8760).default(72),
  ...textVariables,
})

const BASE_URL_RULE =
  'must be an https URL (http on a loopback address, or any with WECHAT_ALLOW_HTTP=true), without credentials, query or fragment'

export type CliEnv = z.output<typeof schema>

/** @throws ConfigError with every problem, never with a value */
export function readCliEnv(env: Environment): CliEnv {
  const { values, problems } = inspectEnv(schema, withProxyNames(env))
  // The rule of the worker, which sends secrets there: what it would refuse at start `doctor` reports.
  if (baseUrlProblems(values).length > 0) problems.push(`WECHAT_API_BASE_URL ${BASE_URL_RULE}`)
  // An API key goes there.
  if (baseUrlProblems({ ...values, WECHAT_API_BASE_URL: values.WXO_GATEWAY_URL }).length > 0) {
    problems.push(`WXO_GATEWAY_URL ${BASE_URL_RULE}`)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return values as CliEnv
}
