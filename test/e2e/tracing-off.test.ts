// Traces are for looking on: a collector that is away costs spans and nothing else, and without one nothing of tracing is there.
import { join } from 'node:path'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { freeLoopbackPort, type StartedProcess } from '@wechat-outbox/sandbox'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startCollector } from './support/collector.ts'
import { logged } from './support/fleet.ts'
import { APP, text } from './support/system.ts'
import { becomes, collector, end, system, traced, useTracedSystem } from './support/traced.ts'

const SUPPORT = join(import.meta.dirname, 'support')
const WAIT = { timeout: 20_000, interval: 50 }

useTracedSystem()

describe('a collector that', () => {
  const deliverMany = async (worker: StartedProcess): Promise<void> => {
    const results = await system.outbox.sendMany(
      Array.from({ length: 1000 }, (_, n) => text(`o-away-${n}`, `away<${n}>`)),
    )
    expect(results.filter((result) => 'error' in result)).toEqual([])
    await vi.waitFor(async () => expect((await system.fake.summary()).accepted).toBe(1000), WAIT)
    const began = performance.now()
    await end(worker)
    expect(performance.now() - began).toBeLessThan(10_000)
  }

  it('is away holds up neither messages nor the end of a worker, and the log hardly tells of it', async () => {
    const OTEL_EXPORTER_OTLP_ENDPOINT = `http://someone:S3CRET@127.0.0.1:${await freeLoopbackPort()}`
    const worker = await system.worker({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TIMEOUT: '300' })
    await deliverMany(worker)
    expect(logged(worker, 'tracing.spans-lost')).toMatchObject([{ cause: 'ECONNREFUSED', level: 'warn' }])
    expect(system.output()).not.toMatch(/S3CRET|EADDR|OTLPExporterError/)
  }, 60_000)

  it('hangs does no more', async () => {
    const hanging = await startCollector({ hangs: true })
    onTestFinished(() => hanging.close())
    await deliverMany(await system.worker({ OTEL_EXPORTER_OTLP_ENDPOINT: hanging.url }))
    expect(hanging.requests()).toBeGreaterThan(0)
  }, 60_000)
})

describe('traces are off', () => {
  const watched = { NODE_OPTIONS: `--import=${join(SUPPORT, 'loaded-packages.ts')}` }
  const loadedBy = ({ stderr }: StartedProcess): number => Number(/^loaded (\d+) modules/m.exec(stderr())?.[1])

  it.each<[string, Record<string, string>]>([
    ['without an endpoint', { OTEL_SERVICE_NAME: 'worker', OTEL_TRACES_SAMPLER: 'always_on' }],
    ['with an empty one', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['where the SDK is disabled', { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }],
    ['where there is no exporter', { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }],
  ])('%s: nothing of OpenTelemetry is loaded, and nothing more is stored', async (_, env) => {
    const worker = await system.worker({ ...env, ...watched })
    const url = await system.gateway({ ...env, ...watched })
    const answer = await fetch(`${url}/v1/apps/${APP}/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(text('o-off', 'hello')),
    })
    const { id } = (await answer.json()) as { id: string }
    await becomes(id, 'delivered')
    const redis = connectRedis(system.redis.url, 'operate')
    onTestFinished(() => redis.disconnect())
    const stored = await redis.hget(`{wxo:${APP}}:send:${id}`, 'data')
    expect(JSON.parse(stored ?? '')).toEqual({ v: 1, ...text('o-off', 'hello') })
    await Promise.all(system.workers.map(end))
    expect(system.workers.map(loadedBy)).toEqual([0, 0])
    expect(system.output()).not.toContain('tracing.')
    expect(worker).toBe(system.workers[0])
  })

  it('and the same look finds it where they are on', async () => {
    const worker = await system.worker({ ...traced(), ...watched })
    await end(worker)
    expect(loadedBy(worker)).toBeGreaterThan(20)
  })

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', { OTEL_EXPORTER_OTLP_ENDPOINT: 'S3CRET:4318' }],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    ['OTEL_TRACES_SAMPLER', { OTEL_TRACES_SAMPLER: 'S3CRET' }],
  ])('where %s cannot be used: the log says so, and the worker works', async (name, env) => {
    const worker = await system.worker({ ...traced(), ...env, ...watched })
    const { id } = await system.outbox.send(text('o-off', 'hello'))
    await becomes(id, 'delivered')
    await end(worker)
    expect(logged(worker, 'tracing.off')).toMatchObject([{ level: 'error', problem: expect.stringContaining(name) }])
    expect(system.output()).not.toContain('S3CRET')
    expect([loadedBy(worker), collector.requests()]).toEqual([0, 0])
  })
})
