/**
 * Preloaded into a process (`--import`): says at its end how many modules of OpenTelemetry it has loaded, those aside of its API, which
 * prom-client loads for its exemplars.
 */
import { registerHooks } from 'node:module'

let loaded = 0
registerHooks({
  load(url, context, next) {
    if (/\/node_modules\/(?:@opentelemetry\/(?!api\/)|bullmq-otel\/)/.test(url)) loaded += 1
    return next(url, context)
  },
})
process.on('exit', () => process.stderr.write(`loaded ${loaded} modules of OpenTelemetry\n`))
