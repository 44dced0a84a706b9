/**
 * Whether WeChat refused anything because of a reply window that the ledger could have foreseen, person by person. Beside the reasons that there
 * are without any fault, a call is one of which the worker never recorded how it ended: it was made again, or its message died or was
 * cancelled.
 */
import type { SendEntry } from '@wechat-outbox/fake-wechat'
import { type Acted, type Calls, contentOf, isRefused, judgePerson } from '../../e2e/support/windows-judge.ts'
import type { Evidence } from './judge.ts'

export interface WindowsEvidence {
  readonly acted: readonly Acted[]
  readonly calls: Calls
  /** Everything that reached WeChat, in order. */
  readonly sends: readonly SendEntry[]
}

type Complain = (what: string, key?: string) => void

export function judgeRefused({ plan, windows, books }: Evidence, complain: Complain) {
  if (windows === undefined) return { actions: 0, windowRefusals: 0 }
  const { acted, calls, sends } = windows
  // What the fake broke on purpose says nothing about windows.
  const told = sends.filter((send) => send.accepted || isRefused(send))
  const ended = Map.groupBy(books.statuses.values(), (report) => report?.touser ?? '')
  for (const [touser, of] of Map.groupBy(told, (send) => send.touser ?? '')) {
    if (plan.messages.get(contentOf(of[0] ?? { rawBody: '' }))?.hold !== true) continue
    const { refusedFirst, reasons, story } = judgePerson(
      of,
      acted.filter((one) => one.touser === touser),
      calls,
    )
    const unrecorded = (ended.get(touser) ?? []).filter((report) => report?.status !== 'delivered').length
    if (refusedFirst > reasons + unrecorded)
      complain(`was written to in vain, ${refusedFirst} times:\n${story}`, touser)
  }
  return { actions: acted.length, windowRefusals: told.filter(isRefused).length }
}
