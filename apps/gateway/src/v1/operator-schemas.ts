/** The shapes of what operators do: counts and tasks over dead letters, and apps that are held. */
import {
  appidSchema,
  type DeadLetterFilter,
  deadLetterFilterSchema,
  taskRequestSchema,
  WINDOW_STATES,
} from '@wechat-outbox/messages'
import { type CountedBy, type LetterCounts, type Task, WINDOWS_COUNTED_MAX } from '@wechat-outbox/outbox/engine'
import { reasonKeyByName } from '@wechat-outbox/policy'
import { z } from 'zod'
import { instantParameter, pageParameters, shownAs, time } from './schemas.ts'

const filter = deadLetterFilterSchema(reasonKeyByName)
export const filterSchema = filter.meta({
  id: 'DeadLetterFilter',
  description: 'What is absent excludes nothing, and all that is given has to hold; {} means all',
})

export const taskRequest = taskRequestSchema(reasonKeyByName).meta({ id: 'TaskRequest' })
/** What the document shows of it, whose filter is a component of its own. */
export const taskRequestShown = taskRequest.safeExtend({ filter: filterSchema.optional() }).meta({ id: 'TaskRequest' })

const COUNTED_BY = ['errcode', 'touser', 'hour'] as const satisfies readonly CountedBy[]
const LIMIT_MESSAGE = 'must be a number from 1 to 1000000'

/** The filter as parameters of an address: lists are repeated parameters. */
const filterParameters = {
  errcode: filter.shape.errcode,
  touser: filter.shape.touser,
  notTouser: filter.shape.notTouser,
  window: filter.shape.window,
  since: instantParameter.optional().meta({ description: 'Died then or later' }),
  until: instantParameter.optional().meta({ description: 'Died then or earlier' }),
  acceptedSince: instantParameter.optional().meta({ description: 'Their messages were accepted then or later' }),
  acceptedUntil: instantParameter.optional().meta({ description: 'Accepted then or earlier' }),
}

export const listQuery = z.strictObject({ ...filterParameters, ...pageParameters })

export const countQuery = z.strictObject({
  by: z.enum(COUNTED_BY).default('errcode').meta({ description: '`hour`: that of the death, in UTC' }),
  ...filterParameters,
  limit: z
    .string()
    .regex(/^[1-9]\d{0,6}$/, LIMIT_MESSAGE)
    .transform(Number)
    .optional()
    .meta({ ...shownAs({ type: 'integer', minimum: 1 }), description: 'The first so many by acceptance' }),
})

export const cancelQuery = z.strictObject({
  takeBack: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .meta({ ...shownAs({ type: 'boolean' }), description: 'Also takes back what is replayed and not sent yet' }),
})

const letterCount = z.object({
  key: z.string().meta({ description: 'An errcode or the name of a reason, an openid, or the begin of an hour' }),
  count: z.int(),
})

export const letterCounts = z
  .object({
    total: z.int(),
    counts: z.array(letterCount).meta({ description: 'The greatest first, at most 1000; hours in their order' }),
    others: z.int().meta({ description: 'How many of `total` stand in none of `counts`' }),
  })
  .meta({ id: 'LetterCounts' }) satisfies z.ZodType<{ [Field in keyof LetterCounts]: unknown }>

export const dryRun = z
  .object({
    dryRun: z.literal(true),
    action: z.enum(['replay', 'discard']),
    ...letterCounts.shape,
    windows: z.array(z.object({ key: z.enum(WINDOW_STATES), count: z.int() })).meta({
      description: `By the state of the reply window of their people, of ${WINDOWS_COUNTED_MAX} letters at most`,
    }),
    notReplayable: z.int().nullable().meta({
      description: 'Of them: their content was removed. Null where too many letters would have to be looked at',
    }),
  })
  .meta({ id: 'DryRun', description: 'By errcode and by window state. Nothing was done' })

export const taskId = z.string().meta({ description: 'Of a task', examples: ['r-4fZ8hQ2sVx0LmN6tRw1B'] })

/** A filter as it is kept: lists, whatever was given. */
const keptFilter = z.object({
  errcode: z.array(z.string()).exactOptional(),
  touser: z.array(z.string()).exactOptional(),
  notTouser: z.array(z.string()).exactOptional(),
  window: z.array(z.enum(WINDOW_STATES)).exactOptional(),
  since: time.exactOptional(),
  until: time.exactOptional(),
  acceptedSince: time.exactOptional(),
  acceptedUntil: time.exactOptional(),
  limit: z.int().exactOptional(),
}) satisfies z.ZodType<{ [Field in keyof DeadLetterFilter]: unknown }>

export const task = z
  .object({
    id: taskId,
    action: z.enum(['replay', 'discard']),
    filter: keptFilter.nullable().meta({ description: 'Null where ids were given' }),
    status: z.enum(['running', 'done', 'cancelled']),
    total: z.int().nullable().meta({ description: 'How many letters it is about; null until they have been found' }),
    done: z.int().meta({ description: 'Replayed, or discarded' }),
    skipped: z.int().meta({ description: 'Gone, or asked for by somebody else, when their turn came' }),
    failed: z.int().meta({ description: 'Dead letters as before: nothing in them can be sent' }),
    notReplayable: z.int().meta({ description: 'Of those that failed: their content was removed' }),
    takenBack: z.int().meta({ description: 'Of those replayed: dead letters again' }),
    perSecond: z.int().nullable(),
    startedAt: time,
    endedAt: time.exactOptional(),
    by: z.string().meta({ description: 'Who started it: the id of an API key, or user@host of `wxo`' }),
    cancelledBy: z.string().exactOptional().meta({ description: 'Who cancelled it, where somebody did' }),
  })
  .meta({ id: 'Task' }) satisfies z.ZodType<{ [Field in keyof Task]: unknown }>

export const taskList = z.object({ items: z.array(task).meta({ description: 'The latest first, at most 100' }) })

export const pauseRequest = z
  .strictObject({
    why: z.string().max(200).optional().meta({ description: 'What other operators read beside it' }),
  })
  .meta({ id: 'Pause' })

export const heldApp = z.object({
  appid: appidSchema,
  changed: z.boolean().meta({ description: 'False: it was so before' }),
})

export const appList = z.object({
  items: z.array(
    z
      .object({
        appid: appidSchema,
        state: z.enum(['open', 'paused', 'suspended', 'throttled']),
        reason: z.string().nullable().meta({ description: 'Why it is held; null while it is open' }),
        waiting: z.int().meta({ description: 'Messages that are not settled' }),
        waitingForUser: z.int().meta({ description: 'Of them: those that wait for the next action of their users' }),
        deadLetters: z.int(),
        served: z.boolean().meta({ description: 'Whether a worker serves it now' }),
      })
      .meta({ id: 'App' }),
  ),
})
