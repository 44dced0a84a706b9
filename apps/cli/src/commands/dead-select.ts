/** The dead letters that a command is to change, by id or by filter, oldest first by acceptance, as little of each as is needed. */
import { reasonLine } from '@wechat-outbox/messages'
import {
  acceptanceOf,
  type ListedDeadLetter,
  readDeadLetter,
  type Store,
  storeError,
} from '@wechat-outbox/outbox/engine'
import { readFilter, readLimit, SELECTED_MAX, walkDeadLetters } from '../filter.ts'
import type { DeadOptions } from './dead.ts'

export interface SelectedLetter {
  readonly id: string
  /** What the letters are sorted by. */
  readonly acceptance: string
  /** Undefined for an id that was given and is not there. */
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
  if (ids.length > 0) return { letters: await selectIds(store, appid, [...new Set(ids)]), more: false }
  const letters: SelectedLetter[] = []
  const walk = { appid, filter: readFilter(options, Date.now()), max: readLimit(options, SELECTED_MAX) }
  const more = await walkDeadLetters(store, walk, (letter) => {
    letters.push(selected(letter))
  })
  return { letters: sorted(letters), more }
}

async function selectIds(store: Store, appid: string, ids: readonly string[]): Promise<SelectedLetter[]> {
  const letters: SelectedLetter[] = []
  for (const id of ids) {
    const letter = await readDeadLetter(store, appid, id).catch((error: unknown) => {
      throw storeError(error)
    })
    letters.push(letter === null ? { id, acceptance: acceptanceOf(id, null) } : selected(letter))
  }
  return sorted(letters)
}

function sorted(letters: readonly SelectedLetter[]): SelectedLetter[] {
  return letters.toSorted((one, other) => (one.acceptance < other.acceptance ? -1 : 1))
}

function selected(letter: ListedDeadLetter): SelectedLetter {
  // The name alone: answers carry a request id each, and a summary by them would be as long as the list.
  const reason = reasonLine({ ...letter.reason, errmsg: '' })
  const acceptance = acceptanceOf(letter.id, letter)
  return { id: letter.id, acceptance, reason, readable: !('unreadable' in letter.message) }
}
