/**
 * The history of a message: what came back from WeChat, what it was judged to be, and why a message died. These are the
 * types that `wechat` (which receives), `policy` (which judges) and `outbox` (which stores) share.
 */

/** What one try came to. `duplicate-risk` stands in none of them: `unsure` followed by another attempt says exactly that. */
export type AttemptOutcome =
  | 'delivered'
  | 'retry'
  | 'dead'
  | 'token-refreshed'
  | 'token-unavailable'
  | 'media-renewed'
  | 'not-sent'
  | 'refused'
  | 'unsure'
  | 'throttled'
  | 'suspended'
  | 'waiting-for-user'

/** One attempt as a person sees it. `at` is epoch milliseconds, `ms` how long the call took. */
export interface Attempt {
  readonly at: number
  readonly outcome: AttemptOutcome
  readonly ms: number
  readonly errcode?: number
  readonly errmsg?: string
  /** WeChat's request id: its support asks for it. */
  readonly rid?: string
}

/** How many attempts a message remembers, the newest ones: waiting for a token or a quota may take many. */
export const ATTEMPTS_MAX = 50

/** What happened to one call, before anybody judges it. Its texts are clean: no URL, no token, one short line (`errmsg.ts`). */
export type Outcome =
  | { readonly kind: 'answered'; readonly errcode: number; readonly errmsg: string; readonly rid?: string }
  /** The request was never written: DNS, connect or TLS failed. */
  | { readonly kind: 'not-sent'; readonly detail: string }
  /** HTTP 429 or 503, or a page with 403, 407, 411 or 412: somebody on the way said no before WeChat's application saw it. */
  | { readonly kind: 'refused'; readonly status: number; readonly retryAfterMs?: number }
  /** Written, and then nothing that says whether WeChat took it. `status`: of a whole answer that is not WeChat's. */
  | { readonly kind: 'unsure'; readonly detail: string; readonly status?: number }
  /** The picture of the message could not be had, or not be given to WeChat: nothing of the message was sent. */
  | {
      readonly kind: 'no-media'
      readonly detail: string
      /** Asking again changes nothing: it is gone, or no picture. */
      readonly lasts: boolean
      readonly retryAfterMs?: number
    }
  /** There is no token to send with. */
  | {
      readonly kind: 'no-token'
      /** The token endpoint's word, where it gave one. */
      readonly errcode?: number
      readonly detail: string
      /** Asking again changes nothing: credentials or settings are wrong. */
      readonly lasts?: boolean
      /** The endpoint is not asked again before that. */
      readonly retryInMs?: number
    }

/** Why a message died: enough to decide, without looking anything up, whether a replay makes sense. */
export interface Reason {
  /** WeChat's code, or null where the reason is our own (`expired`, `unsure`, `invalid-message` …). */
  readonly errcode: number | null
  /** The stable name, as `docs/errcodes.md` lists it: `reply-window-closed`. */
  readonly name: string
  readonly errmsg: string
  readonly rid?: string
  readonly meaning: { readonly en: string; readonly zh: string }
  /** Where the meaning comes from: WeChat's page, or the rule of ours. */
  readonly source: string
}

/** The first line of a dead letter everywhere: `45015 reply-window-closed: response out of time limit`. */
export function reasonLine(reason: Reason): string {
  const head = reason.errcode === null ? reason.name : `${reason.errcode} ${reason.name}`
  return reason.errmsg === '' ? head : `${head}: ${reason.errmsg}`
}
