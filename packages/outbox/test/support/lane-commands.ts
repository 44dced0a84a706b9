/** What a sequence of the lane protocol's test is made of. Numbers are taken modulo what there is to choose from. */
import type { WindowAction } from '@wechat-outbox/messages'

/**
 * What WeChat says to the call of one run; `token` refuses it, and takes the message with the next token. `wait`: the run
 * makes no call and asks for no turn, because its app has no token or its data needs a newer worker. `back`: it is given back.
 */
export type Answer = 'take' | 'retry' | 'die' | 'token' | 'wait' | 'back'

export interface EnqueueCommand {
  readonly do: 'enqueue'
  readonly person: number
  readonly scheduled: boolean
  readonly onClosed: 'hold' | undefined
  readonly collapseKey: string | undefined
}

/** `how`: what WeChat and the ledger hear of it. `unreported`: the ledger nothing. `early`: WeChat nothing yet. `repeated`: neither anything new. */
export interface ActCommand {
  readonly do: 'act'
  readonly person: number
  readonly action: WindowAction
  readonly how: 'reported' | 'unreported' | 'early' | 'repeated'
}

export type Command =
  | EnqueueCommand
  /** A person does something. */
  | ActCommand
  /** A person's reply window closes. */
  | { readonly do: 'close'; readonly person: number; readonly by: 'time' | 'wechat' }
  /** `inOneStep`: the turn comes with the fetch, and a delivery settles, completes and fetches the next. */
  | { readonly do: 'fetch'; readonly worker: number; readonly answer: Answer; readonly inOneStep: boolean }
  /** Redis answers the settlement of one run with an error, and its worker keeps it: the run goes on when Redis takes it. */
  | { readonly do: 'refuse'; readonly nth: number; readonly error: string }
  /** Redis takes a settlement that was kept. */
  | { readonly do: 'take'; readonly nth: number }
  /** The next step of one of the runs under way. */
  | { readonly do: 'step'; readonly nth: number }
  | { readonly do: 'cancel'; readonly nth: number }
  /** A backoff, a `sendAt` or the hours of one that waits for its user are over. */
  | { readonly do: 'due'; readonly nth: number }
  | { readonly do: 'sweep' }
  /** A run loses its lock, another worker may fetch its job, and the run does not know. */
  | { readonly do: 'lapse'; readonly nth: number }
  /** Every run of a worker ends where it stands; its locks stay until `recover`. */
  | { readonly do: 'crash'; readonly worker: number }
  | { readonly do: 'recover' }
  /** The minute of one parked message is over. */
  | { readonly do: 'minute'; readonly nth: number }

export const personOf = ({ person }: { readonly person: number }): string => `o-${person}`

/** One of a list by a number of any size, so that a sequence keeps its meaning when others are taken out of it. */
export function nth<T>(list: readonly T[], number: number): T | undefined {
  return list[number % Math.max(1, list.length)]
}
