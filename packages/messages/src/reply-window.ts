/**
 * Reply windows: WeChat takes messages to a person only after that person has done something, so many and for so long. How many
 * and how long each action allows is configurable, because WeChat has changed it before.
 *
 * https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/customer-message.html
 */
import { z } from 'zod'
import { instantSchema, touserSchema } from './send-request.ts'

/** What a person can do: write a message, or enter the session through the Mini Program's button. */
export const WINDOW_ACTIONS = ['message', 'enter'] as const
export type WindowAction = (typeof WINDOW_ACTIONS)[number]

/** What an action allows. */
export interface WindowRule {
  /** Messages, from 1 to 100. */
  readonly limit: number
  /** For so many milliseconds from the action on, at most 30 days. */
  readonly ms: number
}

export type WindowRules = Readonly<Record<WindowAction, WindowRule>>

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const LIMIT_MAX = 100
const WINDOW_MS_MAX = 30 * UNIT_MS.d

export const WINDOW_RULES_DEFAULT: WindowRules = {
  message: { limit: 5, ms: 48 * UNIT_MS.h },
  enter: { limit: 2, ms: UNIT_MS.m },
}

export const WINDOW_RULE_FORM = 'must be a number of messages and a time, such as 5/48h or 2/1m'

/** Reads `5/48h`: messages, then how long, in s, m, h or d. Undefined: it is no such rule, or beyond the limits. */
export function readWindowRule(text: string): WindowRule | undefined {
  const [, count, length, unit] = /^(\d{1,3})\/(\d{1,7})([smhd])$/.exec(text) ?? []
  const limit = Number(count)
  const ms = Number(length) * UNIT_MS[unit as keyof typeof UNIT_MS]
  return limit >= 1 && limit <= LIMIT_MAX && ms > 0 && ms <= WINDOW_MS_MAX ? { limit, ms } : undefined
}

/** What a person did, as it is reported. */
export const userActionSchema = z.strictObject({
  touser: touserSchema,
  action: z.enum(WINDOW_ACTIONS, { error: `must be ${WINDOW_ACTIONS.join(' or ')}` }),
  at: instantSchema.optional().meta({ description: 'When it happened; now by default. A time in the future is now' }),
  id: z
    .string()
    .min(1, 'must not be empty')
    .max(200, 'must be at most 200 characters')
    .optional()
    .meta({ description: 'Tells two actions of one moment apart, and a repeat from a new one: WeChat’s `MsgId`' }),
})

/** What a producer may write. */
export type UserAction = z.input<typeof userActionSchema> & { appid?: string }

/** `unknown`: nobody has reported an action, or the window has long been closed. Messages are sent then as in an open one. What WeChat has refused and may wait waits for an action all the same. */
export const WINDOW_STATES = ['open', 'used-up', 'closed', 'unknown'] as const
export type WindowState = (typeof WINDOW_STATES)[number]

/** What is known of a person's window. */
export interface ReplyWindow {
  readonly state: WindowState
  /** Messages that WeChat still takes; null while that is unknown. */
  readonly remaining: number | null
  /** ISO 8601; null while it is unknown. */
  readonly closesAt: string | null
  /** The latest action that was reported, `at` in ISO 8601. */
  readonly lastAction: { readonly action: WindowAction; readonly at: string } | null
  /** Messages to the person that are not settled yet. */
  readonly waiting: number
  /** How many of them go no further before the person's next action: the first of them waits for it, or none does. */
  readonly waitingForUser: number
}

/** What WeChat said that the ledger had not expected. */
export type WindowDisagreement = 'taken-though-closed' | 'refused-though-open'

/** WeChat’s two words for a window that takes nothing more; which of them comes is not reliable. */
export const WINDOW_ERRCODES: readonly number[] = [45015, 45047]
