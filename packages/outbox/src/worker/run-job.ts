/**
 * What a worker does with one job that was fetched: runs it, and returns how it ended for the settler to record. Whatever throws
 * meanwhile, a message that WeChat has taken is not sent again, and another one is tried later.
 */
import type { Job } from 'bullmq'
import { Ended } from '../bullmq/backend.ts'
import { isRefusal, messageOf } from '../errors.ts'
import type { ConsumerOptions, ConsumerReport } from './consumer.ts'
import { createRun, type Ending, type OwnRun, type RunOptions, type Settlement } from './run.ts'
import type { RunSlots } from './run-slots.ts'
import type { Settled } from './settler.ts'

/** What a run that threw waits before it is tried again: its fault is ours, and a loop would hide it in its own noise. */
const AFTER_BUG_MS = 30_000
/** Redis has refused what a run asked before its call: nothing was sent, and refusals pass. */
const AFTER_REFUSAL_MS = 1000

type OfConsumer = 'stalledAfterMs' | 'retain' | 'receiver' | 'deliver' | 'onSettled' | 'report'

export interface RunJobOptions
  extends Pick<ConsumerOptions, OfConsumer>,
    Omit<RunOptions, 'leaseMs' | 'keepsContent' | 'tells' | 'report'> {
  readonly slots: RunSlots
}

/** Never rejects: what BullMQ would make of an error is not ours. */
export async function runJob(
  job: Job,
  at: { token: string; signal: AbortSignal },
  options: RunJobOptions,
): Promise<Ended> {
  const { stalledAfterMs: leaseMs, report } = options
  const started = performance.now()
  const tells = options.receiver?.tells
  const run = createRun(job, at, { ...options, leaseMs, keepsContent: options.retain.content, tells })
  const failed = (error: unknown): Settlement => {
    report.problem({ what: 'a run failed', error: messageOf(error), id: run.id })
    const delayMs = isRefusal(error) ? AFTER_REFUSAL_MS : AFTER_BUG_MS
    return { kind: 'snooze', delayMs, counts: false, attempts: [] }
  }
  const settlement = await options.deliver(run).catch(failed)
  await run.end().catch((error: unknown) => report.problem({ what: 'a probe', error: messageOf(error), id: run.id }))
  const ending = endingOf(run, settlement, failed)
  const ended = performance.now()
  const onSettled = ({ outcome, disagreement }: Settled): void => {
    options.slots.ended(ended - started, performance.now() - ended)
    told(ending, outcome, report)
    options.onSettled?.(run, settlement, outcome === 'done')
    if (disagreement !== undefined) report.windowDisagreed(disagreement)
  }
  return new Ended(ending.item, onSettled, returnedOf(settlement))
}

/** Where one cannot be made, what is certain becomes true: WeChat has the message, or it is tried again later. */
function endingOf(run: OwnRun, settlement: Settlement, failed: (error: unknown) => Settlement): Ending {
  try {
    return run.ending(settlement)
  } catch (error) {
    const later = failed(error)
    return run.ending(settlement.kind === 'delivered' ? { kind: 'settled' } : later)
  }
}

function told({ item, dead }: Ending, outcome: string, report: ConsumerReport): void {
  if (outcome === 'done' && dead !== undefined) report.dead(dead)
  if (outcome === 'occupied')
    report.problem({ what: 'a dead letter of that id is another message’s', error: '', id: item.id })
}

const returnedOf = (settlement: Settlement) =>
  'attempts' in settlement ? { attempts: settlement.attempts } : { attempts: [] }
