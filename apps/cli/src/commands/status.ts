/** `wxo status`: what is wrong first, then a short account of every app. */
import { type RedisHealth, redisProblems, type Task } from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { findingsOf, printFindings } from '../findings.ts'
import { holdLines } from '../hold-text.ts'
import { type Output, printable, printFields, showBytes } from '../output.ts'
import { type AppStatus, readOverview } from '../overview.ts'
import type { Act } from '../program.ts'
import type { Session } from '../session.ts'
import { showDuration } from '../times.ts'
import { printCounts } from './dead-count.ts'
import { taskLine } from './follow.ts'

export function addStatus(program: Command, act: Act): void {
  program
    .command('status')
    .description('what is wrong, and the queues, dead letters, suspensions, tasks and tokens of every app')
    .option('--app <appid>', 'this Mini Program alone')
    .action((options: { app?: string }) => act((session) => status(session, options)))
}

async function status(session: Session, options: { app?: string }): Promise<void> {
  const { output } = session
  const overview = await readOverview(session, options.app)
  const { health, apps, nowMs } = overview
  const findings = findingsOf(overview, output.lang)
  if (output.json) {
    return output.document({ findings, redis: { ...health, problems: redisProblems(health) }, items: apps })
  }
  printFindings(output, findings)
  if (findings.length === 0) output.line(`${output.style('green', '✓')} Nothing is wrong that Redis shows.`)
  output.line(`\n${output.style('bold', 'Redis')} ${printable(redisLine(health))}`)
  if (apps.length === 0) output.line('\nNo worker has served an app here yet.')
  for (const app of apps) printApp(output, app, nowMs)
}

function redisLine(health: RedisHealth): string {
  const { version, appendOnly, appendFsync, evictionPolicy, usedMemoryBytes, maxMemoryBytes } = health
  const appended = appendOnly === false ? 'no append-only file' : `append-only ${appendFsync ?? '(fsync unknown)'}`
  const persistence = appendOnly === undefined ? 'persistence unknown' : appended
  const limit = maxMemoryBytes === 0 ? 'no limit' : `${showBytes(maxMemoryBytes ?? 0)} allowed`
  const memory = usedMemoryBytes === undefined ? 'memory unknown' : `${showBytes(usedMemoryBytes)} used (${limit})`
  return `${version ?? 'version unknown'}, ${persistence}, ${evictionPolicy ?? 'eviction unknown'}, ${memory}`
}

function printApp(output: Output, app: AppStatus, nowMs: number): void {
  const { send, deadLetter, deadLetters, deadLetterCodes, token, hold, served, tasks } = app
  const replaying = deadLetters - deadLetter.failed
  const oldest = app.oldestWaitingMs === null ? 'nothing waits' : `oldest ${showDuration(app.oldestWaitingMs)}`
  output.line()
  output.line(output.style('bold', app.appid))
  for (const line of hold === null ? [] : holdLines(hold, nowMs, output.lang)) {
    output.line(`  ${output.style('yellow', printable(line))}`)
  }
  printFields(output, [
    ['worker', served ? 'serves it' : 'none serves it now'],
    ['waiting', `${send.waiting + send.prioritized}, ${oldest}`],
    ['sending', String(send.active)],
    ['delayed', `${send.delayed} (scheduled, retrying, held or waiting for their users)`],
    [
      'for users',
      app.waitingForUser === 0 ? undefined : `${app.waitingForUser} of these wait for the next action of their users`,
    ],
    ['delivered', `${send.completed} still retained`],
    // Failed jobs stand in the send queue only until the worker's sweep has seen them.
    ['dying', send.failed === 0 ? undefined : `${send.failed} to be moved to the dead letters`],
    ['callbacks', callbacksText(app.callbacks)],
    ['token', tokenText(token)],
    ...tasks.map((task): [string, string] => ['task', runningText(task)]),
    ['dead letters', `${deadLetters}${replaying === 0 ? '' : `, ${replaying} of them being replayed`}`],
  ])
  if (deadLetters > 0) printCounts(output, deadLetterCodes, { by: 'errcode', indent: '    ' })
}

function runningText(task: Task): string {
  return `${task.id} ${task.action} by ${task.by}: ${taskLine(task)}`
}

/** An app that tells nobody has nothing here. */
function callbacksText({ waiting, delayed, told, givenUp, hold }: AppStatus['callbacks']): string | undefined {
  if (waiting + delayed + told + givenUp === 0 && hold === null) return undefined
  const kept = givenUp === 0 ? '' : `, ${givenUp} given up`
  return `${waiting + delayed} to be told${hold === null ? '' : ', and the receiver is held'}${kept}`
}

function tokenText(token: AppStatus['token']): string {
  if (token === null) return 'none'
  const left = token.leftMs > 0 ? `${showDuration(token.leftMs)} left` : `ended ${showDuration(-token.leftMs)} ago`
  return `version ${token.version}, ${left}`
}
