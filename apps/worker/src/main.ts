import { configOrExit, createLogger, runService } from '@wechat-outbox/runtime'
import { readWorkerConfig } from './env.ts'
import { startWorker } from './worker.ts'

const config = configOrExit(() => readWorkerConfig(process.env))
const log = createLogger({ level: config.LOG_LEVEL, name: 'worker' })
await runService(log, () => startWorker(config, log), { reloads: true })
