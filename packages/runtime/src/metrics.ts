/** Metrics, for Prometheus: a registry per service, because `start` runs two of them in one process. */
import { Counter, collectDefaultMetrics, Registry } from 'prom-client'
import { droppedLines } from './log-stream.ts'

/** Gauges whose names end as counters' do; the labelled ones of the same names say as much. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** With what every process tells of itself: CPU, memory, event loop, garbage collection, and what its log is lacking. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  const dropped: Counter = new Counter({
    name: 'wxo_log_lines_dropped_total',
    help: 'Lines of the log that were dropped, because nobody read them in time or they could not be written.',
    registers: [registry],
    collect() {
      dropped.reset()
      dropped.inc(droppedLines())
    },
  })
  return registry
}
