/** What addresses and forms of the operator's page may say, checked. Every problem is reported with its path. */
import { appidSchema, check, isDeadLetterId, type JsonSize, touserSchema, WINDOW_STATES } from '@wechat-outbox/messages'
import { z } from 'zod'
import { filterSchema, taskRequest } from '../v1/operator-schemas.ts'
import { invalid } from '../v1/read.ts'
import { instantParameter } from '../v1/schemas.ts'
import { LANGUAGES } from './language.ts'
import type { ShownFilter } from './links.ts'

/** Ids in one address; a page shows fewer. */
const IDS_MAX = 200
const SIZE: JsonSize = { bytesMax: 65_536, valuesMax: 2 * IDS_MAX }

/** What a field for a date and a time sends, which has no offset and means UTC here. */
const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(?:\.\d{1,9})?)?$/

const once = z.string({ error: 'must be given once' })
const time = once
  .transform((text) => {
    const [isLocal, seconds] = LOCAL_TIME.exec(text) ?? []
    return isLocal === undefined ? text : `${text}${seconds === undefined ? ':00' : ''}Z`
  })
  .pipe(instantParameter)

const place = { app: appidSchema.optional(), lang: z.enum(LANGUAGES).optional() }
const filter = {
  errcode: filterSchema.shape.errcode
    .unwrap()
    .refine((list) => list.length === 1, 'must be given once')
    .transform(([reason]) => reason)
    .optional(),
  touser: once.pipe(touserSchema).optional(),
  window: once.pipe(z.enum(WINDOW_STATES, { error: `must be one of ${WINDOW_STATES.join(', ')}` })).optional(),
  since: time.optional(),
  until: time.optional(),
}
const id = z.string().refine(isDeadLetterId, 'must be the id of a dead letter, d-…')
const ids = z
  .union([id.transform((one) => [one]), z.array(id).min(1).max(IDS_MAX)], {
    error: `must be the id of a dead letter, d-…, or up to ${IDS_MAX} of them`,
  })
  .optional()
const perSecond = once
  .regex(/^\d{1,9}$/, 'must be a number')
  .transform(Number)
  .pipe(taskRequest.shape.perSecond.unwrap())
  .optional()

/** `ticked`: the letters of the ids; `found`: those of the filter. */
const change = {
  action: z.enum(['replay', 'discard']),
  of: z.enum(['ticked', 'found']),
  id: ids,
  perSecond,
}

export const placeQuery = z.strictObject(place)

export const overviewQuery = z.strictObject({
  ...place,
  ...filter,
  /** What is searched for: an openid, or an id of a letter or a message. */
  q: once.trim().max(100).optional(),
  cursor: once.max(1000).optional(),
  tick: z.literal('all').optional(),
})

export const preflightQuery = z.strictObject({ ...place, ...filter, ...change })
export type Change = z.output<typeof preflightQuery>

export const cancelForm = z.strictObject({ ...place, takeBack: z.literal('true').optional() })

/**
 * Reads a query or a form. What a form's empty fields send counts as absent.
 * @throws OutboxError WXO_INVALID
 */
export function read<T>(given: unknown, schema: z.ZodType<T>): T {
  const filled = Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== ''))
  const checked = check(filled, schema, SIZE)
  if (checked.ok) return checked.value
  throw invalid(checked.problems)
}

/** @throws OutboxError WXO_INVALID where it begins after its end */
export function shownFilterOf({ errcode, touser, window, since, until }: ShownFilter): ShownFilter {
  const problem = { path: 'since', message: 'must not be later than until' }
  if (since !== undefined && until !== undefined && since > until) throw invalid([problem])
  return { errcode, touser, window, since, until }
}
