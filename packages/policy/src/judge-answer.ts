/** What an answer of WeChat's to a send means: one behaviour for each action of the errcode table. */
import type { Outcome, Reason } from '@wechat-outbox/messages'
import { appFault, holdApp, probedEachMinute, unexplained } from './app-faults.ts'
import { APP_WAIT_MS, again, DELIVERED, dead, heldOrNot, renewMedia, retry, stepBackMs, wait } from './decisions.ts'
import { type ErrcodeAction, type ErrcodeRow, sendErrcode } from './errcodes.ts'
import type { Decision, Judgement, Situation } from './judgement.ts'
import { answerReason, type LastAnswer, lastAnswerOf } from './reasons.ts'

/** Two tokens may die one after the other within one run; a third fresh one that is refused says that the app is at fault. */
export const TOKEN_REFRESHES_MAX = 3

interface Answer {
  readonly row: ErrcodeRow
  readonly said: LastAnswer
  readonly reason: Reason
}

type Behaviour = (answer: Answer, situation: Situation) => Judgement

export function judgeAnswer(outcome: Extract<Outcome, { kind: 'answered' }>, situation: Situation): Judgement {
  const row = sendErrcode(outcome.errcode)
  const reason = answerReason(outcome)
  if (row === undefined) return judgeUnknownCode(reason, situation)
  return behaviours[row.action]({ row, said: lastAnswerOf(outcome), reason }, situation)
}

const behaviours: Readonly<Record<ErrcodeAction, Behaviour>> = {
  delivered: () => heldOrNot(DELIVERED, { kind: 'delivered' }),
  // -1 is WeChat's own answer that it was busy: `ifUnsure` is about calls that nobody answered.
  retry: ({ said }, situation) => heldOrNot(retry(said, situation), { kind: 'reached' }),
  'refresh-token': refreshToken,
  dead: killMessage,
  'renew-media': (answer, situation) =>
    situation.canRenewMedia === true
      ? heldOrNot(renewMedia(answer.said, situation), { kind: 'reached' })
      : killMessage(answer, situation),
  'reply-window': closeWindow,
  wait: stepBack,
  suspend: ({ reason }, situation) => holdApp(appFault('suspend', { cause: 'send', reason }, situation), situation),
  'throttle-minute': ({ reason }, situation) =>
    holdApp(appFault('throttle-minute', { cause: 'quota', reason }, situation), situation),
  'throttle-day': ({ reason }, situation) =>
    holdApp(appFault('throttle-day', { cause: 'quota', reason }, situation), situation),
}

/** A code that nobody knows may be anybody's fault: it kills its message, and no more of them once the app is held for it. */
function judgeUnknownCode(reason: Reason, situation: Situation): Judgement {
  return {
    decision: dead(reason),
    ifHeld: wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason }, situation),
    signal: { ...appFault('suspend', { cause: 'send', reason }, situation), inARow: unexplained(2) },
  }
}

/** WeChat asks to come back later, and no message of the app would fare better. */
function stepBack({ reason }: Answer, situation: Situation): Judgement {
  return heldOrNot(wait({ outcome: 'suspended', delayMs: stepBackMs(situation), reason }, situation), {
    ...appFault('suspend', { cause: 'send', reason }, situation),
    inARow: unexplained(1),
  })
}

/** A new token deserves an immediate try. If WeChat refuses every one of them, something is wrong with the app. */
function refreshToken({ said, reason }: Answer, situation: Situation): Judgement {
  if (situation.tokenRefreshes < TOKEN_REFRESHES_MAX) return heldOrNot(again(said, situation), { kind: 'reached' })
  // Each probe costs a handful of tokens, and the endpoint is to be called five times a minute at most.
  const fault = {
    ...appFault('suspend', { cause: 'send', reason }, situation),
    ...probedEachMinute(situation.probeEveryMs),
  }
  return holdApp(fault, situation)
}

/** The same answer to one message after another may be the app's fault, and then it kills no more of them. */
/** WeChat takes nothing more for this person, until the person does something. That is no fault of the app. */
function closeWindow({ reason }: Answer, { onClosed }: Situation): Judgement {
  const decision: Decision =
    onClosed === 'hold' ? { action: 'await-user', reason } : { action: 'dead', reason, isWindows: true }
  return heldOrNot(decision, { kind: 'healthy' })
}

function killMessage({ row, reason }: Answer, situation: Situation): Judgement {
  const { suspendAfterInARow: max } = row
  if (max === undefined) return heldOrNot(dead(reason), { kind: 'healthy' })
  return {
    decision: dead(reason),
    ifHeld: wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason }, situation),
    signal: { ...appFault('suspend', { cause: 'send', reason }, situation), inARow: { group: 'unauthorized', max } },
  }
}
