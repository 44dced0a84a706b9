// What Prometheus gets from real processes: the values, the names that docs/metrics.md promises, and Prometheus's own
// judgement on them, on the rules of docs/alerts.yml and on the queries of docs/grafana.json.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../../scripts/run.ts'
import { type Prometheus, startPrometheus } from './support/prometheus.ts'
import { CALLBACK_SECRET, type Receiver, startReceiver, status } from './support/receiver.ts'
import { APP, type System, startSystem, text } from './support/system.ts'

const promtool = (args: readonly string[], input = '') => {
  const { status, error, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { missing: error !== undefined, status, output: `${stdout}${stderr}` }
}
// Debian's package `prometheus` has it, and .ci/run installs that. Elsewhere the suite must not need root.
const noPromtool = promtool(['--version']).missing && process.env['CI'] === undefined

let receiver: Receiver
let system: System
let urls: { worker: string; gateway: string }
const scraped = { worker: '', gateway: '' }
/** It takes some seconds to begin, while there is other work. */
let prometheus: Promise<Prometheus> | undefined
beforeAll(async () => {
  receiver = await startReceiver()
  system = await startSystem({
    env: { CALLBACK_URL: receiver.url, CALLBACK_SECRET, CALLBACK_ALLOWED_HOSTS: '127.0.0.1' },
  })
  const [worker] = system.workers
  const [, workerUrl = ''] = /"worker.started".*"url":"([^"]+)"/.exec(worker?.stdout() ?? '') ?? []
  urls = { worker: workerUrl, gateway: await system.gateway() }
  await system.fake.fault({ touser: 'o-late', fault: { name: 'errcode', errcode: 45015, errmsg: 'too late' } })
  await untilEnded('oFine', 'delivered')
  await until(() => expect(receiver.taken().size).toBe(1))
  receiver.answer = status(410)
  await untilEnded('o-late', 'dead')
  await until(() => expect(worker?.stdout()).toContain('"callbacks.held"'))
  await fetch(`${urls.gateway}/dashboard/api/queues?x=1`)
  await fetch(`${urls.gateway}/nowhere/o-late`)
  await fetch(`${urls.gateway}/v1/apps/${APP}/dead-letters/d-0:replay`, { method: 'POST' })
  const paused = await fetch(`${urls.gateway}/v1/apps/${APP}:pause`, { method: 'POST' })
  expect(paused.status).toBe(200)
  for (const name of ['worker', 'gateway'] as const) scraped[name] = await scrape(urls[name])
  // Not earlier: what a process has read of Redis it tells for some seconds.
  if (!noPromtool) prometheus = startPrometheus({ 'wxo-worker': urls.worker, 'wxo-gateway': urls.gateway })
  prometheus?.catch(() => undefined)
}, 60_000)
afterAll(async () => {
  await prometheus?.then((started) => started.close()).catch(() => undefined)
  await system?.close()
  await receiver?.close()
})

const until = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000, interval: 100 })

async function untilEnded(touser: string, expected: string): Promise<void> {
  const { id } = await system.outbox.send(text(touser, 'hello'))
  await until(async () => expect((await system.outbox.status(id))?.status).toBe(expected))
}

async function scrape(url: string): Promise<string> {
  const answer = await fetch(`${url}/metrics`)
  expect(answer.status).toBe(200)
  return answer.text()
}

const declared = (exposition: string): Map<string, string> =>
  new Map([...exposition.matchAll(/^# TYPE (wxo_\w+) (\w+)$/gm)].map(([, name = '', type = '']) => [name, type]))

describe('the metrics', () => {
  it('of a worker tell what came of messages', () => {
    const { worker } = scraped
    expect(worker).toContain(`wxo_messages_total{app="${APP}",outcome="delivered",errcode="0"} 1\n`)
    expect(worker).toMatch(new RegExp(`wxo_messages_total\\{app="${APP}",outcome="dead",errcode="45015"\\} 1\n`))
    expect(worker).toContain('wxo_delivery_delay_seconds_count 1\n')
    expect(worker).toContain('wxo_send_duration_seconds_count 2\n')
    expect(worker).toContain(`wxo_token_refreshes_total{app="${APP}",result="stored"} 1\n`)
    expect(worker).toContain(`wxo_queue_depth{app="${APP}",queue="dead-letter",state="failed"} 1\n`)
  })

  it('of a worker tell what its receiver of callbacks took', () => {
    const { worker } = scraped
    expect(worker).toContain(`wxo_callbacks_total{app="${APP}",outcome="taken"} 1\n`)
    expect(worker).toContain(`wxo_callbacks_total{app="${APP}",outcome="failed"} 1\n`)
    expect(worker).toContain(`wxo_callbacks_held{app="${APP}",reason="gone"} 1\n`)
    expect(worker).toContain(`wxo_queue_depth{app="${APP}",queue="callback",state="delayed"} 1\n`)
  })

  it('of the gateway tell the same of the queues, and of requests by their template alone', () => {
    const { gateway } = scraped
    expect(gateway).toContain(`wxo_queue_depth{app="${APP}",queue="dead-letter",state="failed"} 1\n`)
    expect(gateway).toContain(`wxo_oldest_message_age_seconds{app="${APP}"} 0\n`)
    expect(gateway).toContain('wxo_http_requests_total{route="/dashboard/api/queues",method="GET",status="200"} 1\n')
    expect(gateway).toContain('wxo_http_requests_total{route="unmatched",method="GET",status="404"} 1\n')
    expect(gateway).toContain(
      'wxo_http_requests_total{route="/v1/apps/:appid/dead-letters/:id:replay",method="POST",status="404"} 1\n',
    )
    expect(gateway).not.toContain('o-late')
  })

  it('are the documented ones, with their types and labels, and no others', () => {
    const page = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
    const rows = [...page.matchAll(/^\| `(wxo_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|/gm)]
    for (const name of ['worker', 'gateway'] as const) {
      const documented = rows.flatMap(([, metric = '', type = '', , from = '']) =>
        from.includes(name) ? [[metric, type] as const] : [],
      )
      expect(new Map(documented), name).toEqual(declared(scraped[name]))
    }
    for (const [, metric = '', , labels = ''] of rows) {
      const names = [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label)
      const samples = `${scraped.worker}\n${scraped.gateway}`.matchAll(
        new RegExp(`^${metric}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? `, 'gm'),
      )
      for (const [, given = ''] of samples) {
        const used = [...given.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le')
        expect(used.toSorted(), metric).toEqual(names.toSorted())
      }
    }
  })

  it('are all that the alerts ask for', () => {
    const known = [...declared(scraped.worker).keys(), ...declared(scraped.gateway).keys()]
    const asked = askedByAlerts()
    expect(asked.length).toBeGreaterThan(5)
    expect(asked.filter((name) => !known.includes(name))).toEqual([])
  })

  it('that the alerts ask for stand in the dashboard', () => {
    const shown = queries.map(({ expr }) => expr).join('\n')
    expect(askedByAlerts().filter((name) => !shown.includes(name))).toEqual([])
  })

  it('are all that the dashboard asks for', () => {
    const known = [scraped.worker, scraped.gateway].flatMap((text) => [...text.matchAll(/^# TYPE (\w+)/gm)])
    const names = new Set(known.map(([, name]) => name))
    const asked = queries.flatMap(({ expr }) => expr.match(/\b(?:wxo|process|nodejs)_\w+/g) ?? [])
    expect(asked.length).toBeGreaterThan(20)
    expect(asked.filter((name) => !names.has(name.replace(/_(?:bucket|sum|count)$/, '')))).toEqual([])
  })
})

function askedByAlerts(): string[] {
  const rules = readFileSync(join(ROOT, 'docs/alerts.yml'), 'utf8')
  return [...rules.matchAll(/\b(wxo_\w+?)(?:_bucket|_sum|_count)?\b(?=[{)[ ])/g)].map(([, name = '']) => name)
}

interface Panel {
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly targets?: readonly { readonly expr: string }[]
}

const { panels } = JSON.parse(readFileSync(join(ROOT, 'docs/grafana.json'), 'utf8')) as { panels: Panel[] }
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

it('every panel of the dashboard says what to look for', () => {
  const silent = panels.filter(({ type, description = '' }) => type !== 'row' && description.length < 30)
  expect(silent.map(({ title }) => title)).toEqual([])
})

const CASES = join(import.meta.dirname, 'alerts.promtool.yml')

interface AlertRules {
  readonly groups: readonly { readonly rules: readonly { readonly alert?: string }[] }[]
}

interface AlertCases {
  readonly tests: readonly {
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[]
  }[]
}

/** No app is suspended or without a worker, nothing is being replayed, WeChat pushes nothing, and every attempt ended its message. */
const HAPPENED_NOT = [
  'wxo_app_suspended',
  'wxo_pushes_total',
  'wxo_unserved_messages',
  'state=~"waiting|active"',
  'outcome!~',
]

describe.skipIf(noPromtool)('Prometheus itself', () => {
  it.each(['worker', 'gateway'] as const)('finds nothing wrong with the metrics of the %s', (name) => {
    expect(promtool(['check', 'metrics'], scraped[name])).toMatchObject({ status: 0, output: '' })
  })

  it('takes the alerts', () => {
    const { status, output } = promtool(['check', 'rules', join(ROOT, 'docs/alerts.yml')])
    expect(status, output).toBe(0)
    expect(output).toMatch(/SUCCESS: \d+ rules found/)
  })

  it('lets each alert fire when it should, and not otherwise', () => {
    const { status, output } = promtool(['test', 'rules', CASES])
    expect(status, output).toBe(0)
    const { groups } = parse(readFileSync(join(ROOT, 'docs/alerts.yml'), 'utf8')) as AlertRules
    const { tests } = parse(readFileSync(CASES, 'utf8')) as AlertCases
    const looks = tests.flatMap((test) => test.alert_rule_test)
    const names = (isFiring: boolean) =>
      new Set(looks.filter((look) => (look.exp_alerts !== undefined) === isFiring).map((look) => look.alertname))
    const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => (alert === undefined ? [] : [alert])))
    expect([...names(true)].toSorted()).toEqual(alerts.toSorted())
    expect([...names(false)].toSorted()).toEqual(alerts.toSorted())
  })

  it('answers every query of the dashboard, with series for what has happened', async () => {
    const started = await prometheus
    const counts = await Promise.all(
      queries.map(async ({ expr }) => {
        const substituted = expr.replaceAll('$__rate_interval', '1m').replaceAll('$app', '.*')
        return { expr, series: await started?.seriesOf(substituted) }
      }),
    )
    const empty = counts.filter(({ series }) => series === 0).map(({ expr }) => expr)
    expect(empty.filter((expr) => !HAPPENED_NOT.some((part) => expr.includes(part)))).toEqual([])
  })
})
