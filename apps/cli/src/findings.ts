/**
 * What is wrong with an outbox, as far as Redis shows it: one sentence for each thing, with the command that helps, the most severe
 * first. A problem has to be put right; a notice is what an operator should know and may have wanted.
 */
import { type RedisHealth, redisProblems, unservedSentence } from '@wechat-outbox/outbox/engine'
import { tokenErrcode } from '@wechat-outbox/policy'
import { holdLines, receiverText } from './hold-text.ts'
import { explain, type Lang } from './lang.ts'
import { type Output, plural, printable, showBytes } from './output.ts'
import type { AppStatus, Overview } from './overview.ts'
import { showDuration } from './times.ts'

export interface Finding {
  /** Stable, as scripts read it. */
  readonly kind:
    | 'redis'
    | 'memory'
    | 'no-worker'
    | 'unserved'
    | 'suspended'
    | 'throttled'
    | 'token'
    | 'callbacks'
    | 'waiting'
    | 'paused'
    | 'dead-letters'
    | 'idle'
  readonly level: 'problem' | 'notice'
  readonly appid?: string
  readonly message: string
}

const MEMORY_SHARE_MAX = 0.9
/** As in `docs/alerts.yml`. */
const WAITING_MS_MAX = 300_000
/** Codes that one sentence names. */
const CODES_MAX = 5
/** Findings of one kind that are printed one by one. */
const PRINTED_MAX = 20

export function findingsOf(overview: Overview, lang: Lang): Finding[] {
  const { health, apps, anyServed } = overview
  return [
    ...redisFindings(health),
    ...(anyServed ? [] : [NO_WORKER]),
    ...unservedFindings(overview),
    ...apps.flatMap(taskFindings),
    ...apps.flatMap((app) => faultFindings(app, overview.nowMs, lang)),
    ...apps.flatMap((app) => tokenFindings(app, overview.nowMs, lang)),
    ...apps.flatMap((app) => callbackFindings(app, overview.nowMs)),
    ...apps.flatMap(waitingFindings),
    ...apps.flatMap((app) => pauseFindings(app, overview.nowMs, lang)),
    ...apps.flatMap(deadLetterFindings),
    ...(anyServed ? apps.flatMap(idleFindings) : []),
  ]
}

const NO_WORKER: Finding = {
  kind: 'no-worker',
  level: 'problem',
  message:
    'No worker serves any app: what is accepted waits. Start one (`node_modules/.bin/node apps/worker/src/main.ts`), or read the log of the one that should run.',
}

export function redisFindings(health: RedisHealth): Finding[] {
  const found = redisProblems(health).map((message): Finding => ({ kind: 'redis', level: 'problem', message }))
  const { usedMemoryBytes = 0, maxMemoryBytes = 0 } = health
  if (maxMemoryBytes === 0 || usedMemoryBytes <= maxMemoryBytes * MEMORY_SHARE_MAX) return found
  const share = `${showBytes(usedMemoryBytes)} of ${showBytes(maxMemoryBytes)}`
  const message = `Redis is almost full (${share}): at its limit it takes no new messages. Raise \`maxmemory\`.`
  return [...found, { kind: 'memory', level: 'problem', message }]
}

function unservedFindings({ unserved, apps }: Overview): Finding[] {
  const shown = new Set(apps.map(({ appid }) => appid))
  return unserved
    .filter(({ appid }) => shown.has(appid))
    .map((app) => ({ kind: 'unserved', level: 'problem', appid: app.appid, message: unservedSentence(app) }))
}

function taskFindings({ appid, served, tasks }: AppStatus): Finding[] {
  if (served || tasks.length === 0) return []
  const wait = tasks.length === 1 ? '1 task waits' : `${tasks.length} tasks wait`
  const message = `No worker serves ${appid} now, and ${wait} for one: \`wxo task ls --app ${appid}\` lists them.`
  return [{ kind: 'unserved', level: 'problem', appid, message }]
}

/** A worker ends these by itself once the fault is gone; an operator may have to see to that. */
function faultFindings({ appid, hold }: AppStatus, nowMs: number, lang: Lang): Finding[] {
  if (hold?.fault === undefined) return []
  const [line = ''] = holdLines({ appid, fault: hold.fault, pausedElsewhere: false }, nowMs, lang)
  const message = `${appid} is ${line} Once that is put right, \`wxo app resume ${appid}\` waits for no probe.`
  return [{ kind: hold.fault.kind, level: 'problem', appid, message }]
}

function pauseFindings({ appid, hold }: AppStatus, nowMs: number, lang: Lang): Finding[] {
  if (hold === null || (hold.operator === undefined && !hold.pausedElsewhere)) return []
  const { fault: _fault, ...pause } = hold
  const lines = holdLines(pause, nowMs, lang)
  return lines.map((line) => ({
    kind: 'paused',
    level: 'notice',
    appid,
    message: `${appid} is ${line}. \`wxo app resume ${appid}\` ends that.`,
  }))
}

/** Where the app is held for it, that has been said. */
function tokenFindings({ appid, hold, tokenFailure }: AppStatus, nowMs: number, lang: Lang): Finding[] {
  if (tokenFailure === null || hold?.fault?.cause === 'token') return []
  const { failure, at, until } = tokenFailure
  const again = until > nowMs ? ` and ask again in ${showDuration(until - nowMs)}` : ''
  const why = tokenFailureText(failure, lang)
  const message = `The workers got no token for ${appid} ${showDuration(nowMs - at)} ago${again}: ${why}. \`wxo doctor\` asks with the secret of its own environment.`
  return [{ kind: 'token', level: 'problem', appid, message }]
}

/** `40125 invalid-appsecret: invalid appsecret (The AppSecret does not belong to this appid.)` */
export function tokenFailureText({ errcode, detail }: { errcode?: number; detail: string }, lang: Lang): string {
  if (errcode === undefined) return detail
  const row = tokenErrcode(errcode)
  const name = row === undefined ? '' : ` ${row.name}`
  const meaning = row === undefined ? '' : ` (${row.meaning[lang]})`
  return `${errcode}${name}${detail === '' ? '' : `: ${detail}`}${meaning}`
}

/** Messages are sent all the same. */
function callbackFindings({ appid, callbacks }: AppStatus, nowMs: number): Finding[] {
  const { hold, waiting, delayed } = callbacks
  if (hold === null) return []
  const message = `The receiver of callbacks of ${appid} ${receiverText(hold, nowMs)}; ${plural(waiting + delayed, 'event')} to be told. \`wxo callback resume ${appid}\` tries it at once.`
  return [{ kind: 'callbacks', level: 'problem', appid, message }]
}

function waitingFindings({ appid, hold, served, oldestWaitingMs }: AppStatus): Finding[] {
  // Why the others wait has been said.
  if (!served || hold !== null || oldestWaitingMs === null || oldestWaitingMs <= WAITING_MS_MAX) return []
  const message = `A message of ${appid} has been due for ${showDuration(oldestWaitingMs)}, although a worker serves the app: its log tells why tries fail, and \`wxo doctor\` whether WeChat is reached.`
  return [{ kind: 'waiting', level: 'problem', appid, message }]
}

function deadLetterFindings({ appid, deadLetterCodes }: AppStatus): Finding[] {
  const { total, counts, others } = deadLetterCodes
  if (total === 0) return []
  const named = counts.slice(0, CODES_MAX).map(({ key, count }) => `${count} × ${reasonName(key)}`)
  const rest = others + counts.slice(CODES_MAX).reduce((sum, { count }) => sum + count, 0)
  const codes = [...named, ...(rest === 0 ? [] : [`${rest} of other codes`])].join(', ')
  const message = `${plural(total, 'dead letter')} of ${appid}: ${codes}. \`wxo dead ls --app ${appid}\` lists them.`
  return [{ kind: 'dead-letters', level: 'notice', appid, message }]
}

function reasonName(key: string): string {
  const known = explain(key, 'en')
  return known === undefined || known.name === key ? key : `${key} ${known.name}`
}

/** An app that was given up, perhaps. */
function idleFindings({ appid, served, send, tasks }: AppStatus): Finding[] {
  const waits = send.waiting + send.active + send.delayed + send.prioritized + send.failed
  if (served || waits + tasks.length > 0) return []
  return [{ kind: 'idle', level: 'notice', appid, message: `No worker serves ${appid} now; nothing waits for one.` }]
}

export function printFindings(output: Output, findings: readonly Finding[]): void {
  const printed = new Map<string, number>()
  for (const { kind, level, message } of findings) {
    const count = (printed.get(kind) ?? 0) + 1
    printed.set(kind, count)
    const mark = level === 'problem' ? output.style('red', '✗') : output.style('yellow', '!')
    if (count <= PRINTED_MAX) output.line(`${mark} ${printable(message)}`)
  }
  for (const [kind, count] of printed) {
    if (count > PRINTED_MAX) output.line(`  ${count - PRINTED_MAX} more of the kind ${kind}: --json lists them all.`)
  }
}
