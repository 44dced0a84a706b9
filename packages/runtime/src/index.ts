export { ConfigError, type Environment, flag, integer, logLevel, port, readEnv, text } from './env.ts'
export { configOrExit, runService, type Service } from './lifecycle.ts'
export { createLogger, type Logger, type LogOptions } from './log.ts'
