/** The dead letters that a command is to change, by id or by filter, as little of each as is needed. */
import { reasonLine } from '@wechat-outbox/messages'
import { type ListedDeadLetter, readDeadLetter, type Store, storeError } from '@wechat-outbox/outbox/engine'
import { readFilter, readLimit, SELECTED_MAX, walkDeadLetters } from '../filter.ts'
import type { DeadOptions } from './dead.ts'

export interface SelectedLetter {
  readonly id: string
  /** Undefined for an id that was given and is not there, or was not looked at. */
  readonly reason?: string
  readonly readable?: boolean
}

export interface Selection {
  readonly letters: readonly SelectedLetter[]
  /** The filter met more than were collected. */
  readonly more: boolean
}

interface Wanted {
  readonly appid: string
  readonly ids: readonly string[]
  readonly options: DeadOptions
}

export async function select(store: Store, { appid, ids, options }: Wanted): Promise<Selection> {
  if (ids.length > 0) return selectIds(store, appid, { ids: [...new Set(ids)], look: options.dryRun === true })
  const letters: SelectedLetter[] = []
  const walk = { appid, filter: readFilter(options, Date.now()), max: readLimit(options, SELECTED_MAX) }
  const more = await walkDeadLetters(store, walk, (letter) => {
    letters.push(selected(letter))
  })
  return { letters, more }
}

async function selectIds(
  store: Store,
  appid: string,
  at: { ids: readonly string[]; look: boolean },
): Promise<Selection> {
  if (!at.look) return { letters: at.ids.map((id) => ({ id })), more: false }
  const letters: SelectedLetter[] = []
  for (const id of at.ids) {
    const letter = await readDeadLetter(store, appid, id).catch((error: unknown) => {
      throw storeError(error)
    })
    letters.push(letter === null ? { id } : selected(letter))
  }
  return { letters, more: false }
}

function selected(letter: ListedDeadLetter): SelectedLetter {
  // The name alone: answers carry a request id each, and a summary by them would be as long as the list.
  const reason = reasonLine({ ...letter.reason, errmsg: '' })
  return { id: letter.id, reason, readable: !('unreadable' in letter.message) }
}
