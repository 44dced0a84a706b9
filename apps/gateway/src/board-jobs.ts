/**
 * Jobs as Bull Board gets to see them. It takes every job with a stack trace for one that has failed, and the outbox keeps there
 * what earlier runs of a message came to: a message that was delivered after a hold or a retry stood there as failed. So
 * the runs are shown beside the attempts of the last one, in what the job returned.
 */
import type { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { attemptsOf, readHistory } from '@wechat-outbox/outbox/engine'

type Job = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>
export type JobJson = ReturnType<Job['toJSON']>

/** Bull Board looks at what a job says of itself as JSON; its data, name, result and progress go through the formatters. */
export function changeJobs(adapter: BullMQAdapter, change: (json: JobJson) => JobJson): void {
  const changed = (job: Job): Job => {
    const toJSON = job.toJSON.bind(job)
    return Object.assign(job, { toJSON: () => change(toJSON()) })
  }
  const getJob = adapter.getJob.bind(adapter)
  const getJobs = adapter.getJobs.bind(adapter)
  adapter.getJob = async (id) => {
    const job = await getJob(id)
    return job ? changed(job) : job
  }
  adapter.getJobs = async (...range) => (await getJobs(...range)).map(changed)
}

/** A job of BullMQ's has no marks of ours, so those of the jobs that are shown are read beside it. */
export function markAwaitingUser(
  adapter: BullMQAdapter,
  awaiting: (ids: readonly string[]) => Promise<ReadonlySet<string>>,
): void {
  const marked = async (jobs: readonly Job[]): Promise<Job[]> => {
    const ids = await awaiting(jobs.map(({ id }) => id ?? ''))
    return jobs.map((job) => {
      const toJSON = job.toJSON.bind(job)
      return ids.has(job.id ?? '') ? Object.assign(job, { toJSON: () => ({ ...toJSON(), awaitsUser: true }) }) : job
    })
  }
  const getJob = adapter.getJob.bind(adapter)
  const getJobs = adapter.getJobs.bind(adapter)
  adapter.getJob = async (id) => {
    const job = await getJob(id)
    return job ? (await marked([job]))[0] : job
  }
  adapter.getJobs = async (...range) => marked(await getJobs(...range))
}

/** Of a job that other programs have failed the stack trace stays: there it is one. */
export function tellAttempts(json: JobJson): JobJson {
  const history = readHistory(json.stacktrace)
  if (json.failedReason || history.length === 0 || history.length !== json.stacktrace?.length) return json
  const last = (json.returnvalue ?? {}) as { attempts?: unknown }
  const attempts = Array.isArray(last.attempts) ? last.attempts : []
  return { ...json, stacktrace: [], returnvalue: { ...last, attempts: attemptsOf([...history, { attempts }]) } }
}
