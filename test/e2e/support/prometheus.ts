/** A real Prometheus that scrapes real processes, so that queries are judged by what will run them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freeLoopbackPort, startProcess } from '@wechat-outbox/sandbox'
import { until } from '../../support/until.ts'

export interface Prometheus {
  /** How many series an instant query gives. @throws with what Prometheus says of a query that it refuses */
  seriesOf(expr: string): Promise<number>
  close(): Promise<void>
}

// Prometheus does not end with its stdin, so a shell waits there for it.
const GUARD = 'prometheus "$@" & p=$!; trap : TERM; read -r _; kill -9 "$p"; wait "$p"'

/**
 * Resolves once each job, a name and the URL of a process, has been scraped as often as a rate needs. `rules`: a file of alerts that it
 * judges as often as it scrapes.
 */
export async function startPrometheus(jobs: Readonly<Record<string, string>>, rules?: string): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-prometheus-'))
  const scrapes = Object.entries(jobs).map(([name, url]) => ({
    job_name: name,
    static_configs: [{ targets: [new URL(url).host] }],
  }))
  const config = join(dir, 'prometheus.yml')
  // JSON is YAML.
  const settings = {
    global: { scrape_interval: '500ms', evaluation_interval: '500ms' },
    scrape_configs: scrapes,
    rule_files: rules === undefined ? [] : [rules],
  }
  await writeFile(config, JSON.stringify(settings))
  const address = `127.0.0.1:${await freeLoopbackPort()}`
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=${address}`]
  const started = startProcess({
    command: 'sh',
    args: ['-c', GUARD, 'prometheus', ...flags, '--log.level=error'],
    name: 'prometheus',
  })
  const seriesOf = async (expr: string): Promise<number> => {
    const answer = await fetch(`http://${address}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expr }),
    })
    const { data, error } = (await answer.json()) as { data?: { result: unknown[] }; error?: string }
    if (data === undefined) throw new Error(`${expr}: ${error}`)
    return data.result.length
  }
  const close = async (): Promise<void> => {
    await started.stop()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const areScraped = async (): Promise<boolean> => (await seriesOf('sum_over_time(up[1m]) >= 2')) === scrapes.length
    await until('the first scrapes', areScraped, { timeoutMs: 20_000, everyMs: 200 })
  } catch (error) {
    await close()
    throw new Error(`Prometheus scraped nothing: ${started.stderr()}`, { cause: error })
  }
  return { seriesOf, close }
}
