import { configOrExit, createLogger, runService } from '@wechat-outbox/runtime'
import { readGatewayConfig } from './env.ts'
import { startGateway } from './gateway.ts'

const config = configOrExit(() => readGatewayConfig(process.env))
const log = createLogger({ level: config.LOG_LEVEL, name: 'gateway' })
await runService(log, () => startGateway(config, log))
