/** What `wxo` reads from the environment. Read when a command needs it, so that `--help` works anywhere. */
import { appidSchema } from '@wechat-outbox/messages'
import { type Environment, integer, proxyVariables, readEnv, text, withProxyNames } from '@wechat-outbox/runtime'
import { z } from 'zod'

const MISSING_REDIS =
  'is missing: set it to the Redis of the outbox, for example redis://127.0.0.1:6379 (redis://, rediss://, ' +
  'several separated by commas for a cluster, or redis+sentinel://host:port,host:port/master-name)'

const schema = z.object({
  REDIS_URL: z.string({ error: MISSING_REDIS }),
  WECHAT_APP_ID: appidSchema.optional(),
  WECHAT_API_BASE_URL: text.default('https://api.weixin.qq.com').refine(isPlainBaseUrl, {
    error: 'must be an https URL (http on a loopback address), without credentials, query or fragment',
  }),
  ...proxyVariables,
  IDEMPOTENCY_TTL_HOURS: integer(1, 8760).default(72),
})

export type CliEnv = z.output<typeof schema>

/** @throws ConfigError with every problem, never with a value */
export function readCliEnv(env: Environment): CliEnv {
  return readEnv(schema, withProxyNames(env))
}

/** The rule of the worker, which sends secrets there: what it would refuse at start is worth hearing from `doctor`. */
function isPlainBaseUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(value)
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
  return (
    `${username}${password}${search}${hash}` === '' && (protocol === 'https:' || (protocol === 'http:' && isLoopback))
  )
}
