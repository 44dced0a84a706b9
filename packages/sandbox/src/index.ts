// What one machine needs: a local Redis, processes and a faulty network, for standalone, tests and benches. Nothing
// that ships imports this package, standalone aside.
export { askRedis } from './ask-redis.ts'
export { type ProcessEnd, type StartedProcess, type StartProcessOptions, startProcess } from './child-process.ts'
export { type EndWithParentOptions, endWithParent } from './end-with-parent.ts'
export { type FindRedisOptions, type FoundRedis, findRedis } from './find-redis.ts'
export { freeLoopbackPort } from './free-port.ts'
export { type LocalRedis, type LocalRedisOptions, startLocalRedis } from './local-redis.ts'
export { REDIS_ERRORS, type RedisErrorName, scriptNamesOf } from './redis-errors.ts'
export { type RedisProxy, type RedisProxyOptions, startRedisProxy } from './redis-proxy.ts'
export type { Fate, OnCommand } from './redis-session.ts'
export { startTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts'
