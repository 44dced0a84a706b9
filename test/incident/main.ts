/**
 * `pnpm incident`: shows what an operator can do when thousands of messages have died, by playing it against the sandbox. Prints a
 * table and exits with 0 only if every row of it holds. Needs nothing but this repository, and leaves nothing running.
 */
import { inspect, parseArgs } from 'node:util'
import { endWithParent } from '@wechat-outbox/sandbox'
import { runProcess } from '../../apps/cli/test/world.ts'
import { playIncident } from './play.ts'
import { closeAll, REPLAY_PER_SECOND, startScene } from './scene.ts'
import { HEAD, lineOf, type Row } from './table.ts'

const USAGE = `usage: incident [--scale SHARE]

  --scale   with this share of the 10,800 dead letters, from 0.01 to 2; 1 by default`

/** From the alert to the last delivered message. */
const SECONDS_MAX = 120
const CANCEL_SECONDS_MAX = 1

const print = (text: string): void => void process.stdout.write(`${text}\n`)

function readScale(): number {
  const { values } = parseArgs({
    // A package manager may hand over the `--` that separated its own options.
    args: process.argv.slice(2).filter((arg) => arg !== '--'),
    options: { scale: { type: 'string', default: '1' } },
  })
  const scale = Number(values.scale)
  if (!(scale >= 0.01 && scale <= 2)) throw new Error('--scale must be from 0.01 to 2')
  return scale
}

function readScaleOrExit(): number {
  try {
    return readScale()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`)
    return process.exit(2)
  }
}

const isInTime = ({ task, seconds }: Row): boolean => task !== 'cancel on the way' || seconds <= CANCEL_SECONDS_MAX

const WHAT_IT_IS = `A real Redis, worker and gateway; WeChat is the sandbox’s; REPLAY_MAX_PER_SECOND=${REPLAY_PER_SECOND}. Every row is
what an operator does next, and what was then found to be so.`

const scale = readScaleOrExit()
const closers: (() => Promise<unknown>)[] = []
let stopped = false
const stop = (): void => {
  stopped = true
  void closeAll(closers).finally(() => process.exit(130))
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
await endWithParent(stop)

async function show(): Promise<boolean> {
  print('Messages to thousands of people die …')
  const scene = await startScene(scale, { closers })
  print(`${scene.total} messages are dead, the last a moment ago. ${WHAT_IT_IS}\n\n${HEAD}`)
  const { rows, seconds } = await playIncident(scene, runProcess, (row) => print(lineOf(row)))
  const broken = rows.filter((row) => row.state === 'failed' || !isInTime(row))
  print(`\nFrom the alert to the last delivered message: ${seconds.toFixed(0)} s.`)
  if (broken.length > 0) print(`${broken.length} of ${rows.length} rows do not hold.`)
  if (seconds >= SECONDS_MAX) print(`That is more than ${SECONDS_MAX} s.`)
  return broken.length === 0 && seconds < SECONDS_MAX
}

const exitCode = await show().then(
  (holds) => (holds ? 0 : 1),
  (error: unknown) => {
    if (!stopped) process.stderr.write(`${inspect(error)}\n`)
    return 1
  },
)
// Whoever stopped it ends the process, once all is closed.
if (!stopped) {
  await closeAll(closers)
  process.exit(exitCode)
}
