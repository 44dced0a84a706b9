// The ledger is the truth about what reached WeChat: tests and benches count deliveries, doubles and order here
// and never by what the sender believes. It is written once per request, so an entry keeps the raw body alone
// and the parsed one is made when somebody reads it.

/** One request to the send endpoint, in order of arrival. */
export type SendEntry = {
  /** 1 for the first request since start or reset. */
  seq: number
  /** Epoch milliseconds of the arrival. */
  at: number
  /** The app the access token belongs to; null for an unknown token. */
  appid: string | null
  touser: string | null
  msgtype: string | null
  /** The parsed body, or null if it is not JSON. */
  body: unknown
  rawBody: string
  contentType: string | null
  method: string
  /** Without the query: that would carry the token. */
  path: string
  /** The errcode that was answered; null if the answer had none, was cut, or is still to come. */
  errcode: number | null
  /** The name of the fault that was played, if any. */
  fault?: string
  /** WeChat took the message, even if its answer never arrived. */
  accepted: boolean
}

/** An entry as it is kept: without the parsed body. */
export type SendRecord = Omit<SendEntry, 'body'>

/** One call to a token endpoint. */
export type TokenCall = {
  at: number
  appid: string | null
  kind: 'classic' | 'stable'
  force: boolean
  errcode: number | null
  fault?: string
}

/** One call that is neither a message nor about tokens: typing, an upload. */
export type OtherCall = {
  at: number
  appid: string | null
  /** Without the query: that would carry the token. */
  path: string
  /** Null if the answer had none, was cut, or is still to come. */
  errcode: number | null
  fault?: string
  contentType: string | null
  /** The parsed body of a typing call; of an upload its type, file name, size and digest. */
  body: unknown
}

export type LedgerSummary = {
  sends: number
  accepted: number
  /** Answers by errcode, as strings because JSON has no other keys. */
  byErrcode: Record<string, number>
  /** Requests whose answer had no errcode, was cut, or is still to come. */
  withoutErrcode: number
  /** Of sends, token calls and uploads. */
  byFault: Record<string, number>
  /** Accepted messages beyond the first with the same app, recipient and body. */
  doubles: number
  tokenCalls: { classic: number; stable: number; forced: number; refused: number }
  /** Entries that no longer fit; they are missing from every other figure. */
  dropped: number
}

export type Ledger = {
  /** Every kept send with a seq above `sinceSeq`, oldest first. Copies: changing them changes nothing. */
  sends: (sinceSeq?: number) => SendEntry[]
  /** The kept sends that WeChat took, oldest first. */
  accepted: () => SendEntry[]
  /** Sends since start or reset, dropped ones included. Cheap: for waiting in a loop. */
  sendCount: () => number
  /** Accepted sends since start or reset, dropped ones included. Cheap. */
  acceptedCount: () => number
  tokenCalls: () => TokenCall[]
  /** Typing and uploads, oldest first, the latest 100,000 of them. */
  otherCalls: () => OtherCall[]
  /** Every token handed out since the start, kept over a reset, the latest 100,000 of them. */
  tokensIssued: ReadonlySet<string>
  summary: () => LedgerSummary
}

/** What the server writes with; readers get the `ledger` part. */
export type LedgerBook = {
  ledger: Ledger
  addSend: (record: Omit<SendRecord, 'seq'>) => SendRecord
  markAccepted: (record: SendRecord) => void
  addTokenCall: (call: TokenCall) => TokenCall
  addOtherCall: (call: OtherCall) => OtherCall
  addToken: (token: string) => void
  reset: () => void
}

const TOKEN_CALLS_MAX = 1_000_000
const OTHER_CALLS_MAX = 100_000
const TOKENS_MAX = 100_000

/** Drops the oldest tenth in one go, so that a full list does not shift at every entry. */
const dropOldest = <T>(list: T[], limit: number): number => {
  if (list.length <= limit) return 0
  const count = Math.max(1, Math.floor(limit / 10))
  list.splice(0, count)
  return count
}

const parseOrNull = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Opens an empty ledger that keeps at most `limit` sends (default 2,000,000) and drops the oldest beyond. */
export const openLedger = (limit = 2_000_000): LedgerBook => {
  const records: SendRecord[] = []
  const calls: TokenCall[] = []
  const otherCalls: OtherCall[] = []
  const tokensIssued = new Set<string>()
  let sendCount = 0
  let acceptedCount = 0
  let dropped = 0

  const withBody = (record: SendRecord): SendEntry => ({ ...record, body: parseOrNull(record.rawBody) })
  return {
    ledger: {
      // Sequence numbers have no gaps, so the first wanted entry is found by arithmetic.
      sends: (sinceSeq = 0) => records.slice(Math.max(0, sinceSeq - dropped)).map(withBody),
      accepted: () => records.filter((record) => record.accepted).map(withBody),
      sendCount: () => sendCount,
      acceptedCount: () => acceptedCount,
      tokenCalls: () => calls.map((call) => ({ ...call })),
      otherCalls: () => otherCalls.map((call) => ({ ...call })),
      tokensIssued,
      summary: () => summarize({ records, calls, otherCalls, dropped }),
    },
    addSend: (fields) => {
      sendCount += 1
      const record: SendRecord = { seq: sendCount, ...fields }
      records.push(record)
      dropped += dropOldest(records, limit)
      return record
    },
    markAccepted: (record) => {
      if (!record.accepted) acceptedCount += 1
      record.accepted = true
    },
    addTokenCall: (call) => {
      calls.push(call)
      dropOldest(calls, TOKEN_CALLS_MAX)
      return call
    },
    addOtherCall: (call) => {
      otherCalls.push(call)
      dropOldest(otherCalls, OTHER_CALLS_MAX)
      return call
    },
    addToken: (token) => {
      tokensIssued.add(token)
      for (const oldest of tokensIssued) {
        if (tokensIssued.size <= TOKENS_MAX) break
        tokensIssued.delete(oldest)
      }
    },
    reset: () => {
      records.length = 0
      calls.length = 0
      otherCalls.length = 0
      sendCount = 0
      acceptedCount = 0
      dropped = 0
    },
  }
}

type Kept = {
  records: readonly SendRecord[]
  calls: readonly TokenCall[]
  otherCalls: readonly OtherCall[]
  dropped: number
}

const summarize = ({ records, calls, otherCalls, dropped }: Kept): LedgerSummary => {
  const byErrcode: Record<string, number> = {}
  const byFault: Record<string, number> = {}
  const seen = new Set<string>()
  let accepted = 0
  let withoutErrcode = 0
  let doubles = 0
  for (const record of records) {
    if (record.errcode === null) withoutErrcode += 1
    else byErrcode[record.errcode] = (byErrcode[record.errcode] ?? 0) + 1
    if (!record.accepted) continue
    accepted += 1
    const identity = `${record.appid} ${record.touser} ${record.rawBody}`
    if (seen.has(identity)) doubles += 1
    else seen.add(identity)
  }
  for (const { fault } of [...records, ...calls, ...otherCalls]) {
    if (fault !== undefined) byFault[fault] = (byFault[fault] ?? 0) + 1
  }
  const count = (test: (call: TokenCall) => boolean) => calls.filter(test).length
  const tokenCalls = {
    classic: count((call) => call.kind === 'classic'),
    stable: count((call) => call.kind === 'stable'),
    forced: count((call) => call.force),
    refused: count((call) => call.errcode !== null && call.errcode !== 0),
  }
  return { sends: records.length, accepted, byErrcode, withoutErrcode, byFault, doubles, tokenCalls, dropped }
}
