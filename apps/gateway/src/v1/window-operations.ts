/** The calls about reply windows, as data. */
import { type ReplyWindow, touserSchema, userActionSchema, WINDOW_ACTIONS } from '@wechat-outbox/messages'
import { z } from 'zod'
import { APP, failing, json, type Operation, ofApp } from './operation.ts'
import { time } from './schemas.ts'

const USER = `${APP}/users/{openid}`
const ACTION_BYTES_MAX = 4096
const ofUser = ofApp.extend({ openid: touserSchema })

export const userAction = userActionSchema.omit({ touser: true }).meta({ id: 'UserAction' })

const replyWindow = z
  .object({
    state: z.enum(['open', 'used-up', 'closed', 'unknown']).meta({
      description:
        '`unknown`: no action was reported, or the window closed long ago. Messages are sent as in an open one; what WeChat has refused and may wait waits for an action all the same (`waitingForUser`)',
    }),
    remaining: z.int().nullable().meta({ description: 'Messages that WeChat still takes; null while that is unknown' }),
    closesAt: time.nullable(),
    lastAction: z.object({ action: z.enum(WINDOW_ACTIONS), at: time }).nullable(),
    waiting: z.int().meta({ description: 'Messages to the person that are not settled yet' }),
    waitingForUser: z.int().meta({ description: 'How many of them go no further before the user’s next action' }),
  })
  .meta({ id: 'ReplyWindow' }) satisfies z.ZodType<{ [Field in keyof ReplyWindow]: unknown }>

export type WindowOperationId = 'recordAction' | 'readWindow'

export const windowOperations: Readonly<Record<WindowOperationId, Operation>> = {
  recordAction: {
    method: 'POST',
    path: `${USER}/actions`,
    right: 'act',
    bodyBytesMax: ACTION_BYTES_MAX,
    stores: true,
    document: {
      summary: 'Report what a user did',
      description:
        'Opens the reply window and lets go what waits for the user. May be repeated with the same `at` and `id`. Where WeChat’s own message push comes to the gateway, this is not needed.',
      requestParams: { path: ofUser },
      requestBody: { required: true, content: json(userAction) },
      responses: {
        204: { description: 'It is recorded' },
        ...failing('unknown-app', 'WXO_FULL', 'too-large', 'content-type'),
      },
    },
  },
  readWindow: {
    method: 'GET',
    path: `${USER}/window`,
    right: 'read',
    document: {
      summary: 'How many messages WeChat still takes for a user, and until when',
      requestParams: { path: ofUser },
      responses: { 200: { description: 'What is known', content: json(replyWindow) }, ...failing() },
    },
  },
}
