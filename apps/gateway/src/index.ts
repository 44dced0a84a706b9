export { type GatewayConfig, gatewayEnvSchema, readGatewayConfig } from './env.ts'
export { type RunningGateway, startGateway } from './gateway.ts'
