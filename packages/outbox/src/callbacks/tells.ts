/** What is told of an outcome, made where the outcome is known. The script that makes the outcome true adds it to the queue. */
import { type AppEvent, type CallbackType, type DeadLetter, deadEvent, type Reason } from '@wechat-outbox/messages'

/** The events that an app's receiver wants; undefined for an app without one. */
export type Tells = ReadonlySet<CallbackType>

export interface DeathTold {
  readonly type: CallbackType
  /** JSON. */
  readonly data: string
}

/** Of a message that died; undefined where nobody wants to be told. */
export function deathTold(
  { appid, tells }: { readonly appid: string; readonly tells?: Tells | undefined },
  letter: DeadLetter,
  type: CallbackType = 'message.dead',
): DeathTold | undefined {
  return tells?.has(type) ? { type, data: JSON.stringify(deadEvent(appid, letter)) } : undefined
}

/** Of an app that is held for a fault, and of the end of that, as JSON; '' where nobody wants to be told. */
export function holdTold(
  appid: string,
  reason: Reason,
  tells: Tells | undefined,
): [suspended: string, resumed: string] {
  const { errcode, name } = reason
  const suspended: AppEvent = { appid, status: 'suspended', errcode: errcode ?? undefined, reason: name }
  const resumed: AppEvent = { appid, status: 'active' }
  return [
    tells?.has('app.suspended') ? JSON.stringify(suspended) : '',
    tells?.has('app.resumed') ? JSON.stringify(resumed) : '',
  ]
}
