/** The baseline's worker. */
import { type Job, Worker } from 'bullmq'
import { Pool } from 'undici'
import { CONCURRENCY, PLAIN_QUEUE, plainConnection } from '../plain.ts'

const { url, far } = JSON.parse(process.argv[2] ?? '{}') as { url: string; far: string }
const TOKEN = 'a-token-of-the-bench'

const pool = new Pool(far, { connections: CONCURRENCY, headersTimeout: 5000, bodyTimeout: 5000 })

async function deliver(job: Job): Promise<unknown> {
  const { body } = await pool.request({
    method: 'POST',
    path: `/cgi-bin/message/custom/send?access_token=${TOKEN}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(job.data),
  })
  const answer = (await body.json()) as { errcode: number; errmsg: string }
  if (answer.errcode !== 0) throw new Error(`WeChat answered ${answer.errcode} ${answer.errmsg}`)
  return answer
}

const worker = new Worker(PLAIN_QUEUE, deliver, { connection: plainConnection(url), concurrency: CONCURRENCY })
worker.on('error', () => undefined)
process.once('SIGTERM', () => void worker.close().finally(() => process.exit(0)))
