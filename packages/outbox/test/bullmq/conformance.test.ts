// Our scripts do what BullMQ's own methods do, for the common case, and everything that knows BullMQ goes on to understand
// the queue: Workers, QueueEvents, dashboards. So each step is made twice, by BullMQ on one queue and by the outbox on
// another, over random histories, and every key of the two is compared after every step.
//
// Where ours differs on purpose is said in EXCEPTIONS, and nowhere else.
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Dump, dumpQueue, readFields, Steps } from '../support/queue-dump.ts'
import { bullmqSide, outboxSide, type Side } from '../support/queue-sides.ts'
import { makeStep, STEPS, type Step } from '../support/queue-steps.ts'
import { sharedWorld } from '../support/world.ts'

const RUNS = 150
const TIMEOUT_MS = 240_000

const world = sharedWorld()

const one = { which: 0, fetches: true } as const

/** Histories in which ours once differed, or where it easily would. */
const KNOWN: readonly Step[][] = [
  // Nothing is left, and somebody listens for it.
  [
    { do: 'add', hours: [0] },
    { do: 'fetch', count: 1 },
    { do: 'complete', ...one },
  ],
  // The queue is full: a marker would make its workers ask without end.
  [
    { do: 'add', hours: [0, 0] },
    { do: 'fetch', count: 1 },
    { do: 'concurrency', max: 1 },
    { do: 'fetch', count: 1 },
  ],
  // What becomes due is BullMQ's alone, and the worker has to be told to look.
  [
    { do: 'add-plain', priority: 1, hours: 1, removes: false },
    { do: 'add', hours: [0] },
    { do: 'fetch', count: 1 },
    { do: 'due', count: 1 },
    { do: 'complete', ...one },
  ],
  // Only BullMQ can complete it, and then finds what is delayed.
  [
    { do: 'add', hours: [1] },
    { do: 'add-plain', priority: 0, hours: 0, removes: true },
    { do: 'fetch', count: 1 },
    { do: 'complete', ...one },
  ],
  // More are completed than are kept, some of them for too long.
  [
    { do: 'add', hours: [0, 0, 0] },
    { do: 'fetch', count: 1 },
    { do: 'complete', ...one },
    { do: 'age', count: 1 },
    { do: 'complete', ...one },
    { do: 'complete', ...one },
  ],
  [
    { do: 'rate', max: 1 },
    { do: 'add', hours: [0, 0] },
    { do: 'fetch', count: 2 },
    { do: 'complete', ...one },
  ],
  [
    { do: 'add', hours: [0] },
    { do: 'fetch', count: 1 },
    { do: 'worker-dies', which: 0 },
    { do: 'look-for-stalled' },
    { do: 'look-for-stalled' },
    { do: 'fetch', count: 1 },
  ],
]

interface Compared {
  readonly theirs: Dump
  readonly ours: Dump
  readonly step: Step
}

/** Each takes one difference away where it is as the words say. What does not fit the words stays and is found. */
const EXCEPTIONS: readonly { readonly differs: string; readonly level: (at: Compared) => void }[] = [
  {
    differs: 'Our marks stand beside BullMQ’s fields of a job: `sending`, `settled`, `parked`.',
    level: ({ ours }) => {
      for (const job of jobsIn(ours)) for (const mark of ['sending', 'settled', 'parked']) delete job[mark]
    },
  },
  {
    differs: 'A message of ours has no options but its delay; BullMQ writes down its defaults, and the id once more.',
    level: ({ theirs, ours }) => {
      for (const options of [...jobsIn(theirs), ...jobsIn(ours)].map(({ opts }) => opts as Dump)) {
        if (options['attempts'] === 0) delete options['attempts']
        delete options['jobId']
      }
    },
  },
  {
    differs: 'BullMQ notes in `meta` how many events it keeps where nobody has said so; our scripts only read it.',
    level: ({ theirs, ours }) => {
      for (const dump of [theirs, ours]) {
        const meta = dump['meta'] as Dump | undefined
        if (meta?.['opts.maxLenEvents'] === '10000') delete meta['opts.maxLenEvents']
        if (meta !== undefined && Object.keys(meta).length === 0) delete dump['meta']
      }
    },
  },
  {
    differs:
      'The marker, which ends a worker’s wait, is set by BullMQ with every fetch; by us only while something is left ' +
      'that may be fetched.',
    level: ({ theirs, ours }) => {
      const [marks, own] = [theirs, ours].map(markers) as [Dump, Dump]
      if ('0' in marks && !mayBeFetched(ours)) for (const one of [marks, own]) delete one['0']
      theirs['marker'] = marks
      ours['marker'] = own
    },
  },
  {
    differs:
      'Whether a rate that was set for the queue is reached, only BullMQ’s own fetch finds out, and tells the worker how ' +
      'long to wait; a marker is left for the worker where something waits, and a run that settled is not told, nor is anybody that the queue is drained.',
    level: ({ theirs, ours }) => {
      const [marks, own] = [theirs, ours].map(markers) as [Dump, Dump]
      for (const dump of [theirs, ours]) if ('max' in ((dump['meta'] ?? {}) as Dump)) leaveOut(dump, 'drained')
      const [got, fetched] = [theirs, ours].map((dump) => dump['fetched'] as { isLimited: boolean; job?: Dump }[])
      for (const [n, one] of (fetched ?? []).entries()) {
        if (one.job !== undefined || !(one.isLimited || got?.[n]?.isLimited)) continue
        one.isLimited = got?.[n]?.isLimited ?? false
        if (marks['0'] === undefined) delete own['0']
      }
    },
  },
  {
    differs:
      'A delay that fetches as well tells of the earliest delayed job in the marker; BullMQ leaves that to the run.',
    level: ({ theirs, ours, step }) => {
      const [marks, own] = [theirs, ours].map(markers) as [Dump, Dump]
      if (step.do === 'delay' && step.fetches && marks['1'] === undefined) delete own['1']
    },
  },
  {
    differs:
      'BullMQ takes its counter of priorities away when it finds no prioritised job; it only puts them in order.',
    level: ({ theirs, ours }) => {
      for (const dump of [theirs, ours]) delete dump['pc']
    },
  },
  {
    differs:
      'A run is handed what it reads of a job, and not what an earlier end has left or what is the same in every run.',
    level: ({ theirs, ours }) => {
      for (const dump of [theirs, ours]) {
        for (const { job } of dump['fetched'] as { job?: Dump }[]) {
          for (const field of ['delay', 'priority', 'debounceId', 'progress']) delete job?.[field]
        }
      }
    },
  },
  {
    differs:
      'When the next delayed job is due is told to every run that found nothing, also where the queue may not be fetched from.',
    level: ({ theirs, ours }) => {
      const [got, own] = [theirs, ours].map(({ fetched }) => fetched as { job?: Dump; dueAt?: unknown }[])
      for (const [n, one] of (own ?? []).entries()) if (got?.[n]?.dueAt === 0) one.dueAt = 0
    },
  },
]

const jobsIn = (dump: Dump): Dump[] => [
  ...Object.entries(dump).flatMap(([name, value]) => (/^m-\d+$/.test(name) ? [value as Dump] : [])),
  ...(dump['fetched'] as { job?: Dump }[]).flatMap(({ job }) => (job === undefined ? [] : [job])),
]

function leaveOut(dump: Dump, event: string): void {
  const left = ((dump['events'] ?? []) as Dump[]).filter((one) => one['event'] !== event)
  if (left.length > 0) dump['events'] = left
  else delete dump['events']
}

const markers = (dump: Dump): Dump =>
  Array.isArray(dump['marker'])
    ? Object.fromEntries(dump['marker'] as [string, unknown][])
    : ((dump['marker'] ?? {}) as Dump)

function mayBeFetched(dump: Dump): boolean {
  const meta = (dump['meta'] ?? {}) as Dump
  const active = ((dump['active'] ?? []) as unknown[]).length
  const isMaxed = meta['concurrency'] !== undefined && active >= Number(meta['concurrency'])
  return meta['paused'] === undefined && !isMaxed && ('wait' in dump || 'prioritized' in dump)
}

async function nowMs(): Promise<number> {
  const [seconds, micros] = await world.redis.time()
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
}

/** A millisecond that no earlier step has had. */
async function freshMs(last: number): Promise<number> {
  let now = await nowMs()
  while (now <= last) now = await nowMs()
  return now
}

interface Made {
  readonly steps: Steps
  readonly side: Side
  last: number
}

async function stepOn(made: Made, step: Step, n: number): Promise<Dump> {
  const { side, steps } = made
  // What this step sets and says; the marker is taken by a worker that waits, anyway.
  await world.redis.del(side.keys.sendMarker, side.keys.sendEvents)
  const from = await freshMs(made.last)
  const got = await makeStep(step, { redis: world.redis, side, n })
  made.last = await nowMs()
  steps.add(from, made.last)
  const fetched = got.map(({ json, dueAt, limitMs }) => ({
    ...(json === undefined ? { dueAt: dueAt === 0 ? 0 : steps.name(dueAt) } : { job: readJson(json, steps) }),
    isLimited: limitMs > 0,
  }))
  return { ...(await dumpQueue(world.redis, side.keys.sendJobs, steps)), fetched }
}

function readJson(json: object, steps: Steps): Dump {
  const known = Object.entries(json).filter(([, value]) => value !== undefined)
  return readFields(Object.fromEntries(known), steps)
}

it('our scripts leave what BullMQ’s methods leave, step by step', { timeout: TIMEOUT_MS }, async () => {
  const property = fc.asyncProperty(
    STEPS,
    fc.integer({ min: 1, max: 4 }),
    fc.boolean(),
    async (steps, count, isReady) => {
      await world.redis.flushall()
      // Redis runs on this machine, and what its clock was measured to be ahead would only blur what is compared.
      const clock = { ...world.store.clock, now: () => Date.now(), toLocal: (time: number) => time }
      const store = { ...world.store, clock }
      const options = { store, keep: { age: 3600, count }, isReady }
      const theirs = bullmqSide({ ...options, appid: 'wx00000000000000aa' })
      const ours = outboxSide({ ...options, appid: 'wx00000000000000bb' })
      const made = [theirs, ours].map((side): Made => ({ side, steps: new Steps(), last: 0 })) as [Made, Made]
      try {
        for (const [n, step] of steps.entries()) {
          const compared = { theirs: await stepOn(made[0], step, n), ours: await stepOn(made[1], step, n), step }
          for (const { level } of EXCEPTIONS) level(compared)
          if (!isDeepStrictEqual(compared.ours, compared.theirs))
            expect({ after: step, ...compared.ours }).toEqual({ after: step, ...compared.theirs })
        }
      } finally {
        await Promise.all([theirs.close(), ours.close()])
      }
    },
  )
  await fc.assert(property, { numRuns: RUNS, examples: KNOWN.map((steps) => [steps, 1, true]) })
})
