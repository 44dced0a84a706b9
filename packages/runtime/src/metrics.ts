/** Metrics, for Prometheus: a registry per service, because `start` runs two of them in one process. */
import { collectDefaultMetrics, Registry } from 'prom-client'

/** With what every Node process tells of itself: CPU, memory, event loop, garbage collection. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}
