/** Pushes by what came of them. Apps are those that are configured, so there are as many series as the operator wants. */
import { Counter, type Registry } from 'prom-client'

/** `ignored`: WeChat's, and nothing that opens a window. `unstored`: Redis was away. */
export type PushResult = 'recorded' | 'ignored' | 'refused' | 'unstored' | 'forward-failed'

export type CountPush = (app: string, result: PushResult) => void

export function createPushCounter(registry: Registry): CountPush {
  const counter = new Counter({
    name: 'wxo_pushes_total',
    help: 'Pushes of WeChat’s, by what came of them.',
    labelNames: ['app', 'result'],
    registers: [registry],
  })
  return (app, result) => counter.inc({ app, result })
}
