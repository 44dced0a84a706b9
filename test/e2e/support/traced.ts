/** A system and a collector for each test, for tests of traces. */
import type { StartedProcess } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { type Collector, startCollector } from './collector.ts'
import { type System, startSystem } from './system.ts'

// Live bindings: the hooks fill them.
export let system: System
export let collector: Collector

export function useTracedSystem(): void {
  beforeEach(async () => {
    system = await startSystem({ workers: 0 })
    collector = await startCollector()
  })
  afterEach(async () => {
    await system.close()
    await collector.close()
  })
}

/** The environment of a process that sends its spans to the collector. */
export const traced = () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })

/** Ends a process: what it has not sent by then it never will. */
export const end = async (started: StartedProcess | undefined): Promise<void> =>
  expect(await started?.stop()).toEqual({ code: 0, signal: null })

export const becomes = (id: string, status: string): Promise<void> =>
  vi.waitFor(async () => expect(await system.outbox.status(id)).toMatchObject({ status }), {
    timeout: 20_000,
    interval: 50,
  })
