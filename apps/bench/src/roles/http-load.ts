/** Callers of a gateway: 64 connections, each with one request at a time. Tells how many came through a second, and the p99. */
import { Pool } from 'undici'
import { messageAt } from '../messages.ts'
import { percentile } from '../stats.ts'

interface HttpLoadOptions {
  readonly url: string
  readonly path: string
  readonly key: string
  readonly warmUp: number
  readonly count: number
}

const { url, path, key, warmUp, count } = JSON.parse(process.argv[2] ?? '{}') as HttpLoadOptions
const CONNECTIONS = 64
const pool = new Pool(url, { connections: CONNECTIONS })
const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }

async function run(from: number, number: number): Promise<number[]> {
  const took: number[] = []
  let next = from
  const loop = async (): Promise<void> => {
    while (next < from + number) {
      next += 1
      const started = performance.now()
      const request = JSON.stringify(messageAt({ kind: 'distinct' }, next))
      const { statusCode, body } = await pool.request({ method: 'POST', path, headers, body: request })
      const answer = await body.text()
      if (statusCode !== 202) throw new Error(`answered ${statusCode} ${answer}`)
      took.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, loop))
  return took
}

await run(0, warmUp)
const started = performance.now()
const took = await run(warmUp, count)
const perSecond = (count / (performance.now() - started)) * 1000
const p99 = percentile(
  took.toSorted((a, b) => a - b),
  0.99,
)
process.stdout.write(`result ${JSON.stringify({ perSecond, p99 })}\n`)
process.exit(0)
