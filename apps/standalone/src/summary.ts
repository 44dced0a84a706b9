/**
 * What happened, counted by the fake WeChat's ledger alone: what the outbox itself reports proves nothing. And which of
 * the outcomes that the samples provoke are missing.
 */
import type { Ledger, SendEntry } from '@wechat-outbox/fake-wechat'
import type { SamplesRun } from './run-samples.ts'
import { FINAL_ERRCODES, SAMPLES } from './samples.ts'

/** Printed as the last line of `start --once`. */
export interface Summary {
  /** Messages that WeChat took, each counted once. */
  readonly delivered: number
  /** Of those, the ones that it had answered with -1 before. */
  readonly retried: number
  /** Tokens handed out after the token had died. */
  readonly tokenRefreshes: number
  /** Messages by the final errcode that WeChat answered. */
  readonly deadLettered: Readonly<Record<'45015' | '45047' | '40003', number>>
  /** Messages refused for good, and taken after the replay was asked for. */
  readonly replayed: number
  /** Messages that WeChat refused because of their reply window, and took once their user had acted. */
  readonly heldAndReleased: number
}

export function summarize(ledger: Ledger, run: Omit<SamplesRun, 'ends'>): Summary {
  const messages = messagesOf(ledger, run.openids)
  const count = (test: (sends: readonly SendEntry[]) => boolean): number => messages.filter(test).length
  const answered = (errcode: number) => (sends: readonly SendEntry[]) => sends.some((send) => send.errcode === errcode)
  const refused = (sends: readonly SendEntry[]): boolean =>
    [45015, 45047, 40003].some((errcode) => answered(errcode)(sends))
  const isReleased = (sends: readonly SendEntry[]): boolean =>
    answered(45015)(sends) && isTaken(sends.filter(({ seq }) => seq <= run.seqBeforeReplay))
  const newTokens = ledger.tokenCalls().slice(run.tokenCallsBefore)
  return {
    delivered: count(isTaken),
    retried: count((sends) => isTaken(sends) && answered(-1)(sends)),
    tokenRefreshes: newTokens.filter(({ errcode }) => errcode === 0).length,
    deadLettered: {
      '45015': count((sends) => answered(45015)(sends) && !isReleased(sends)),
      '45047': count(answered(45047)),
      '40003': count(answered(40003)),
    },
    replayed: count((sends) => refused(sends) && isTaken(sends.filter(({ seq }) => seq > run.seqBeforeReplay))),
    heldAndReleased: count(isReleased),
  }
}

/** The run's sends, one list per message: the same person and the same body are the same message. */
function messagesOf(ledger: Ledger, openids: ReadonlySet<string>): SendEntry[][] {
  const ours = ledger.sends().filter(({ touser }) => touser !== null && openids.has(touser))
  return [...Map.groupBy(ours, ({ touser, rawBody }) => `${touser} ${rawBody}`).values()]
}

function isTaken(sends: readonly SendEntry[]): boolean {
  return sends.some(({ accepted }) => accepted)
}

/** What the samples come to when everything works. */
export function expectedSummary(): Summary {
  const count = (test: (sample: (typeof SAMPLES)[number]) => boolean): number => SAMPLES.filter(test).length
  const dead = (errcode: string): number => count(({ circumstance }) => FINAL_ERRCODES[circumstance] === errcode)
  return {
    delivered: count(({ circumstance, replay }) => FINAL_ERRCODES[circumstance] === undefined || replay === true),
    retried: count(({ circumstance }) => circumstance === 'busy-once'),
    tokenRefreshes: count(({ circumstance }) => circumstance === 'token-dead'),
    deadLettered: { '45015': dead('45015'), '45047': dead('45047'), '40003': dead('40003') },
    replayed: count(({ replay }) => replay === true),
    heldAndReleased: count(({ circumstance }) => circumstance === 'waits-for-user'),
  }
}

/** What happened less often than it should have: `replayed: 0 of 1`. Empty when all is well. */
export function missingOutcomes(summary: Summary): string[] {
  const expected = flat(expectedSummary())
  const counted = new Map(flat(summary))
  return expected.flatMap(([name, wanted]) => {
    const got = counted.get(name) ?? 0
    return got < wanted ? [`${name}: ${got} of ${wanted}`] : []
  })
}

function flat({ deadLettered, ...counts }: Summary): [string, number][] {
  const dead = Object.entries(deadLettered).map(([errcode, count]): [string, number] => [
    `dead-lettered ${errcode}`,
    count,
  ])
  return [...Object.entries(counts), ...dead]
}
