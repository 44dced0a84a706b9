/** Metrics, for Prometheus: a registry per service, because `start` runs two of them in one process. */
import { collectDefaultMetrics, Registry } from 'prom-client'

/** Gauges whose names end as counters' do; the labelled ones of the same names say as much. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** With what every Node process tells of itself: CPU, memory, event loop, garbage collection. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  return registry
}
