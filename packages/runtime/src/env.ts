/**
 * Configuration from the environment: one zod object per app, read once at start. Everything that is wrong is said at
 * once, with the variable's name, and never with its value, which may be a secret.
 */
import { ON_CLOSED, PLAIN_ERRORS, readWindowRule, WINDOW_RULE_FORM } from '@wechat-outbox/messages'
import { messageOf, parseRedisUrl } from '@wechat-outbox/outbox/engine'
import { z } from 'zod'

export type Environment = Readonly<Record<string, string | undefined>>

/** Raised at start; its message lists every problem, one per line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** What could be read of an environment, and what is wrong with the rest of it. */
export interface EnvReading<T> {
  /** Without the variables that are at fault. */
  readonly values: Partial<T>
  readonly problems: string[]
}

/**
 * Reads a process's environment, each variable by itself, so that one that is wrong hides no fault of another. An empty
 * variable counts as missing, because that is what `FOO=` in a compose file means.
 */
export function inspectEnv<T extends z.ZodRawShape>(
  schema: z.ZodObject<T>,
  env: Environment,
): EnvReading<z.output<z.ZodObject<T>>> {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, type] of Object.entries(schema.shape)) {
    const parsed = z.safeParse(type, env[name] || undefined, PLAIN_ERRORS)
    if (!parsed.success) problems.push(...parsed.error.issues.map(({ message }) => `${name} ${message}`))
    else if (parsed.data !== undefined) values[name] = parsed.data
  }
  return { values: values as Partial<z.output<z.ZodObject<T>>>, problems }
}

/** As `inspectEnv`, for whoever has nothing to add. @throws ConfigError with every problem */
export function readEnv<T extends z.ZodRawShape>(schema: z.ZodObject<T>, env: Environment): z.output<z.ZodObject<T>> {
  const { values, problems } = inspectEnv(schema, env)
  if (problems.length > 0) throw new ConfigError(problems)
  return values as z.output<z.ZodObject<T>>
}

/** A variable that holds the URL of the Redis. */
export const redisUrl = z.string().superRefine((url, context) => {
  try {
    parseRedisUrl(url)
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error).replace(/^the Redis URL /, '') })
  }
})

/** A whole number within limits, written in digits. */
export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)
}

export const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true')
export const text = z.string()
export const logLevel = z.enum(
  ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
  'must be a level of pino',
)
export const port = integer(0, 65_535)

/** What becomes of messages while a reply window is closed, for the schema of whoever takes or sends them. */
export const onClosed = z.enum(ON_CLOSED, `must be ${ON_CLOSED.slice(0, -1).join(', ')} or ${ON_CLOSED.at(-1)}`)

const windowRule = z.string().refine((text) => readWindowRule(text) !== undefined, WINDOW_RULE_FORM)

/** What an action of a user allows, for the schema of whoever records actions. */
export const windowVariables = {
  WINDOW_MESSAGE: windowRule
    .default('5/48h')
    .describe('Replies that WeChat takes after a message of the user, and for how long (s, m, h or d)'),
  WINDOW_ENTER: windowRule
    .default('2/1m')
    .describe('The same after the user has entered the session; an older page of WeChat’s says `1/1m`'),
}

/** What becomes of long texts, for the schema of whoever takes messages. Limits: those of `textBytesMax` of an Outbox. */
export const textVariables = {
  TEXT_BYTES_MAX: integer(4, 65_536)
    .default(2048)
    .describe('The longest `text.content`, in bytes of UTF-8. WeChat documents no limit; people report 2048'),
  TEXT_SPLIT: flag
    .default(false)
    .describe('A longer text becomes several messages, in order (`docs/http.md`); without it, it is refused'),
}

/** For the schema of whoever gives pictures to WeChat. */
export const mediaVariables = {
  MEDIA_BYTES_MAX: integer(1, 10_485_760)
    .default(2_097_152)
    .describe('The largest picture that is uploaded to WeChat, in bytes; WeChat’s pages say 2 MB and 10 MB'),
}

/** The variables of a forward proxy, for the schema of whoever calls out of the machine. */
export const proxyVariables = {
  HTTPS_PROXY: text
    .optional()
    .describe('A forward proxy for https; also `https_proxy`. For every call that leaves the machine, Redis aside'),
  HTTP_PROXY: text.optional().describe('The same for plain http, and for https where that has none'),
  NO_PROXY: text.optional().describe('Hosts that are reached without it: `localhost,.internal,10.0.0.7:8080` or `*`'),
}

/** With the lower-case names that other programs write and that win there. */
export function withProxyNames(env: Environment): Environment {
  const named = Object.keys(proxyVariables).map((name) => [name, env[name.toLowerCase()] || env[name]])
  return { ...env, ...Object.fromEntries(named) }
}

export interface ProxyVariables {
  readonly HTTPS_PROXY?: string | undefined
  readonly HTTP_PROXY?: string | undefined
  readonly NO_PROXY?: string | undefined
}

export function proxyOf({ HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy, NO_PROXY: noProxy }: ProxyVariables) {
  return { httpsProxy, httpProxy, noProxy }
}

/** OpenTelemetry's own variables, as far as they count here, for the schema of whoever makes spans. None of them is refused at the start. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: text
    .optional()
    .describe('A collector for traces, as `http://collector:4318`; without it there are none (`docs/tracing.md`)'),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: text.optional().describe('The same with its path, for traces alone'),
  OTEL_EXPORTER_OTLP_PROTOCOL: text.optional().describe('`http/protobuf` is the only one that is spoken'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: text.optional().describe('The same, for traces alone'),
  OTEL_TRACES_EXPORTER: text.optional().describe('`otlp`, or `none` for no traces'),
  OTEL_TRACES_SAMPLER: text.optional().describe('Which traces are kept. Default: `parentbased_always_on`'),
  OTEL_TRACES_SAMPLER_ARG: text
    .optional()
    .describe('The share for `traceidratio` and `parentbased_traceidratio`: 0 to 1'),
  OTEL_SERVICE_NAME: text
    .optional()
    .describe('Under which spans are found. Default: `wechat-outbox-worker`, `wechat-outbox-gateway`'),
  OTEL_SDK_DISABLED: text.optional().describe('`true`: no traces'),
}

export type TracingVariables = { readonly [Name in keyof typeof tracingVariables]?: string | undefined }
