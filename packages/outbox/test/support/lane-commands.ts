/** What a sequence of the lane protocol's test is made of. Numbers are taken modulo what there is to choose from. */

/**
 * What WeChat says to the call of one run; `token` refuses it, and takes the message with the next token. `wait`: the run
 * makes no call and asks for no turn, because its app has no token or its data needs a newer worker. `back`: it is given back.
 */
export type Answer = 'take' | 'retry' | 'die' | 'token' | 'wait' | 'back'

export type Command =
  | { readonly do: 'enqueue'; readonly person: number; readonly scheduled: boolean }
  /** `inOneStep`: the turn comes with the fetch, and a delivery settles, completes and fetches the next. */
  | { readonly do: 'fetch'; readonly worker: number; readonly answer: Answer; readonly inOneStep: boolean }
  /** Redis answers the settlement of one run with an error, and its worker keeps it: the run goes on when Redis takes it. */
  | { readonly do: 'refuse'; readonly nth: number; readonly error: string }
  /** Redis takes a settlement that was kept. */
  | { readonly do: 'take'; readonly nth: number }
  /** The next step of one of the runs under way. */
  | { readonly do: 'step'; readonly nth: number }
  | { readonly do: 'cancel'; readonly nth: number }
  /** A backoff or a `sendAt` is over. */
  | { readonly do: 'due'; readonly nth: number }
  | { readonly do: 'sweep' }
  /** A run loses its lock, another worker may fetch its job, and the run does not know. */
  | { readonly do: 'lapse'; readonly nth: number }
  /** Every run of a worker ends where it stands; its locks stay until `recover`. */
  | { readonly do: 'crash'; readonly worker: number }
  | { readonly do: 'recover' }
  /** The minute of one parked message is over. */
  | { readonly do: 'minute'; readonly nth: number }
