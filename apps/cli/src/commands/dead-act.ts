/**
 * `wxo dead replay` and `wxo dead discard`. Both take letters out of the index that a filter walks, so the ids are collected
 * first, up to a limit, and then worked off in batches: memory and the load on Redis stay bounded.
 */
import { isDeadLetterId, replayIdOf } from '@wechat-outbox/messages'
import { discardDeadLetter, requestReplay, storeError } from '@wechat-outbox/outbox/engine'
import { chooseApp } from '../apps.ts'
import { confirm, type Terminal } from '../confirm.ts'
import { CommandFailure, EXIT, UsageError } from '../failure.ts'
import { hasFilter } from '../filter.ts'
import { type Output, plural, printable } from '../output.ts'
import type { Session } from '../session.ts'
import type { DeadOptions } from './dead.ts'
import { preview } from './dead-preview.ts'
import { type Selection, select } from './dead-select.ts'

export interface Context {
  readonly session: Session
  readonly terminal: Terminal
}

/** What became of one letter. `failed` names why in `problem`. */
export interface Item {
  readonly id: string
  readonly result: 'requested' | 'discarded' | 'unknown' | 'being-replayed' | 'failed'
  readonly replayedAs?: string
  readonly problem?: string
}

interface Action {
  readonly verb: 'replay' | 'discard'
  readonly asksFor: (count: number) => boolean
  /** @throws OutboxError */
  readonly act: (appid: string, id: string) => Promise<Item>
}

interface Asked {
  readonly ids: readonly string[]
  readonly options: DeadOptions
}

const BATCH_LETTERS = 100

export async function replayMany(context: Context, ids: readonly string[], options: DeadOptions): Promise<number> {
  const { session } = context
  return work(
    context,
    { ids, options },
    {
      verb: 'replay',
      asksFor: (count) => count > 1,
      async act(appid, id) {
        const answer = await requestReplay(await session.store(), appid, id)
        return answer.kind === 'unknown'
          ? { id, result: 'unknown' }
          : { id, result: 'requested', replayedAs: answer.id }
      },
    },
  )
}

export async function discardMany(context: Context, ids: readonly string[], options: DeadOptions): Promise<number> {
  const { session } = context
  return work(
    context,
    { ids, options },
    {
      verb: 'discard',
      asksFor: () => true,
      async act(appid, id) {
        const rememberMs = session.env().IDEMPOTENCY_TTL_HOURS * 3_600_000
        return { id, result: await discardDeadLetter(await session.store(), { appid, id }, rememberMs) }
      },
    },
  )
}

async function work({ session, terminal }: Context, asked: Asked, action: Action): Promise<number> {
  const { ids, options } = asked
  const { output } = session
  checkUsage(ids, options)
  const unasked = options.yes === true || options.dryRun === true
  // Refused before anything is read: a script without --yes is wrong whatever the filter would find today.
  if (!unasked && !terminal.interactive && (action.verb === 'discard' || ids.length === 0)) {
    throw new UsageError(
      `nobody is there to confirm: add --yes to ${action.verb}, or --dry-run to see what would happen`,
    )
  }
  const appid = await chooseApp(session, options.app)
  const selection = await select(await session.store(), { appid, ids, options })
  if (options.dryRun === true) return preview(output, { appid, verb: action.verb, selection })
  const count = selection.letters.length
  if (count === 0) return finish(output, { appid, selection, verb: action.verb }, [])
  if (!unasked && terminal.interactive && action.asksFor(count)) {
    if (!(await confirm(questionOf(action.verb, selection, appid), terminal)))
      throw new CommandFailure('nothing was done')
  }
  return finish(output, { appid, selection, verb: action.verb }, await workOff(output, appid, { action, selection }))
}

function checkUsage(ids: readonly string[], options: DeadOptions): void {
  const wrong = ids.find((id) => !isDeadLetterId(id))
  if (wrong !== undefined) throw new UsageError('the id of a dead letter is d-…')
  if (ids.length > 0 && (hasFilter(options) || options.limit !== undefined))
    throw new UsageError('give ids or a filter, not both')
  if (ids.length === 0 && !hasFilter(options)) {
    throw new UsageError('which ones? Give ids, or a filter: --errcode, --to, --since, --until, --all')
  }
}

function questionOf(verb: string, { letters, more }: Selection, appid: string): string {
  const cut = more ? ' (the newest; there are more)' : ''
  const forGood = verb === 'discard' ? ' for good' : ''
  return `${verb} ${plural(letters.length, 'dead letter')}${cut} of ${appid}${forGood}?`
}

/** An unreadable letter fails alone; a Redis that is gone ends the work, and what was done is still told. */
async function workOff(output: Output, appid: string, at: { action: Action; selection: Selection }): Promise<Item[]> {
  const { letters } = at.selection
  const done: Item[] = []
  for (let from = 0; from < letters.length; from += BATCH_LETTERS) {
    const batch = letters.slice(from, from + BATCH_LETTERS)
    const items = await Promise.all(batch.map(({ id }) => attempt(at.action, appid, id)))
    for (const item of items) output.line(lineOf(output, item))
    done.push(...items)
    if (items.some(({ problem }) => problem === AWAY)) {
      const left = letters.slice(done.length)
      return [...done, ...left.map(({ id }): Item => ({ id, result: 'failed', problem: 'not tried' }))]
    }
  }
  return done
}

const AWAY = 'Redis is not available: it may or may not be done'

async function attempt(action: Action, appid: string, id: string): Promise<Item> {
  try {
    return await action.act(appid, id)
  } catch (error) {
    const { code, issues, message } = storeError(error)
    if (code === 'WXO_UNAVAILABLE') return { id, result: 'failed', problem: AWAY }
    return {
      id,
      result: 'failed',
      problem: issues.map((issue) => `${issue.path} ${issue.message}`).join('; ') || message,
    }
  }
}

function lineOf(output: Output, item: Item): string {
  switch (item.result) {
    case 'requested':
      return `${item.id} → ${output.style('green', item.replayedAs ?? replayIdOf(item.id))}`
    case 'discarded':
      return `${item.id} ${output.style('green', 'discarded')}`
    case 'unknown':
      return `${item.id} ${output.style('red', 'is not there: replayed, discarded or expired, or never was')}`
    case 'being-replayed':
      return `${item.id} ${output.style('yellow', 'is being replayed, so it cannot be discarded')}`
    case 'failed':
      return `${item.id} ${output.style('red', printable(item.problem ?? 'failed'))}`
  }
}

function finish(
  output: Output,
  at: { appid: string; selection: Selection; verb: Action['verb'] },
  items: readonly Item[],
): number {
  const done = items.filter(({ result }) => result === 'requested' || result === 'discarded').length
  const failed = items.length - done
  const { more } = at.selection
  if (output.json) output.document({ appid: at.appid, done, failed, more, items })
  const unmet = failed === 0 ? '' : `, ${failed} not`
  const what = at.verb === 'replay' ? 'to be replayed; a worker sends them' : 'discarded'
  if (items.length === 0) output.line(`${at.appid} has no dead letters of that kind.`)
  else if (items.length > 1) output.line(`\n${plural(done, 'dead letter')} ${what}${unmet}.`)
  if (more) output.line('There are more: run it again for the rest.')
  return failed === 0 ? EXIT.done : EXIT.failed
}
