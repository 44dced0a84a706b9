/** The peer's worker: what pg-boss fetches, through the same pool as the baseline's. Each message is settled by its own answer. */
import type { Job, JobResult } from 'pg-boss'
import { Pool } from 'undici'
import type { TextMessage } from '../messages.ts'
import { openPeer, PEER_QUEUE, PEER_URL, type PeerOptions } from '../peer.ts'
import { CONCURRENCY } from '../plain.ts'

const { far, fetchers, batchSize } = JSON.parse(process.argv[2] ?? '{}') as PeerOptions
const TOKEN = 'a-token-of-the-bench'
/** The shortest that pg-boss allows. It only matters when there was nothing to fetch. */
const POLL_SECONDS = 0.5

const pool = new Pool(far, { connections: CONCURRENCY, headersTimeout: 5000, bodyTimeout: 5000 })
const boss = openPeer(process.env[PEER_URL] ?? '')

async function deliver({ id, data }: Job<TextMessage>): Promise<JobResult> {
  try {
    const { body } = await pool.request({
      method: 'POST',
      path: `/cgi-bin/message/custom/send?access_token=${TOKEN}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(data),
    })
    const answer = (await body.json()) as { errcode: number; errmsg: string }
    return { id, status: answer.errcode === 0 ? 'completed' : 'failed', output: answer }
  } catch (error) {
    return { id, status: 'failed', output: error }
  }
}

async function startFetcher(): Promise<void> {
  const options = { batchSize, pollingIntervalSeconds: POLL_SECONDS, perJobResults: true } as const
  const id = await boss.work<TextMessage, unknown, typeof options>(PEER_QUEUE, options, async (jobs) => {
    const results = await Promise.all(jobs.map(deliver))
    // Where there was something there may be more: fetch again at once instead of at the next poll.
    boss.notifyWorker(id)
    return results
  })
}

await boss.start()
await Promise.all(Array.from({ length: fetchers }, startFetcher))
process.once('SIGTERM', () => void boss.stop().finally(() => process.exit(0)))
