export {
  digestApiKey,
  ENV_KEY_PREFIX,
  hashApiKey,
  type KeyEntry,
  keyEntrySchema,
  newApiKey,
  RIGHTS,
  type Right,
  readApiKeyHash,
} from './api-key.ts'
export { addBacklogMetrics } from './backlog-metrics.ts'
export {
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
  readEnv,
  redisUrl,
  text,
  textVariables,
  tracingVariables,
  windowVariables,
  withProxyNames,
} from './env.ts'
export { createHttpServer } from './http-server.ts'
export { configOrExit, runService, type Service } from './lifecycle.ts'
export { readListFile } from './list-file.ts'
export { createLogger, type Logger, type LogOptions } from './log.ts'
export { createRegistry } from './metrics.ts'
export { afterAnswers } from './pipelining.ts'
export { printable, printableLines } from './printable.ts'
export { type AcceptedBodies, createSameSiteCheck, isRead, readHostnames, type SiteFault } from './same-site.ts'
export { createSeldom } from './seldom.ts'
export { openTracing, readTracing, type TraceAttributes, type TraceSpan, type Tracing } from './tracing.ts'
