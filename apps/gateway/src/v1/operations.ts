/**
 * The calls of `/v1`, as data: their addresses, the right that each takes, and what goes in and comes out. Routes and the
 * OpenAPI document are both made of this, so that neither can say what the other does not.
 */
import { z } from 'zod'
import { IDEMPOTENCY_HEADER } from './idempotency-key.ts'
import { type MediaOperationId, mediaOperations } from './media-operation.ts'
import { APP, failing, json, LETTERS, type Operation, ofApp } from './operation.ts'
import { type OperatorOperationId, operatorOperations } from './operator-operations.ts'
import { listQuery } from './operator-schemas.ts'
import * as schemas from './schemas.ts'
import { type WindowOperationId, windowOperations } from './window-operations.ts'

/** Text in which every character is written `\uXXXX` takes three times what is allowed of it. */
const MESSAGE_BYTES_MAX = 262_144
/** A thousand messages with the longest text and metadata, and some room. */
const BATCH_BYTES_MAX = 16 * 1_048_576

const MESSAGE = `${APP}/messages/{id}`
const LETTER = `${LETTERS}/{id}`

const ofMessage = ofApp.extend({ id: schemas.messageId })
const ofLetter = ofApp.extend({ id: schemas.deadLetterId })

const traceHeader = z.string().optional().meta({ description: 'Taken over where a message has no `traceparent`' })
const keyHeader = z
  .string()
  .optional()
  .meta({ description: '`idempotencyKey`, in quotes (the IETF’s draft) or bare', examples: ['"order-13-shipped"'] })

export type OperationId =
  | MediaOperationId
  | OperatorOperationId
  | WindowOperationId
  | 'sendMessage'
  | 'sendBatch'
  | 'listMessages'
  | 'readMessage'
  | 'cancelMessage'
  | 'listDeadLetters'
  | 'readDeadLetter'
  | 'discardDeadLetter'
  | 'replayDeadLetter'

export const operations: Readonly<Record<OperationId, Operation>> = {
  ...operatorOperations,
  ...mediaOperations,
  ...windowOperations,
  sendMessage: {
    method: 'POST',
    path: `${APP}/messages`,
    right: 'send',
    bodyBytesMax: MESSAGE_BYTES_MAX,
    stores: true,
    document: {
      summary: 'Send a message',
      description: 'Answers once Redis has the message.',
      requestParams: { path: ofApp, header: z.object({ [IDEMPOTENCY_HEADER]: keyHeader, traceparent: traceHeader }) },
      requestBody: { required: true, content: json(schemas.sendRequest) },
      responses: {
        202: {
          description: 'Stored: from now on the outbox answers for it',
          headers: z.object({ Location: z.string() }),
          content: json(schemas.receipt),
        },
        200: {
          description: 'Stored by an earlier request with the same idempotency key',
          headers: z.object({ Location: z.string(), 'Idempotent-Replayed': z.literal('true') }),
          content: json(schemas.receipt),
        },
        ...failing('unknown-app', 'WXO_CONFLICT', 'WXO_FULL', 'too-large', 'content-type'),
      },
    },
  },
  sendBatch: {
    method: 'POST',
    path: `${APP}/messages:batch`,
    right: 'send',
    bodyBytesMax: BATCH_BYTES_MAX,
    stores: true,
    document: {
      summary: 'Send up to 1000 messages',
      description:
        'One result for each message, in order; one that is refused does not hold up the others. Each may have an `idempotencyKey` of its own. 503 when none of them could be stored.',
      requestParams: { path: ofApp, header: z.object({ traceparent: traceHeader }) },
      requestBody: { required: true, content: json(schemas.batchRequest) },
      responses: {
        207: { description: 'What became of each', content: json(schemas.batchResults) },
        ...failing('unknown-app', 'WXO_FULL', 'too-large', 'content-type'),
      },
    },
  },
  listMessages: {
    method: 'GET',
    path: `${APP}/messages`,
    right: 'read',
    document: {
      summary: 'A person’s messages',
      description:
        'What is open, then what is scheduled, dead, and delivered, each newest first. A page looks at a thousand jobs of the app at most, so it may be empty and have a `next`. What is cancelled, replayed or discarded is told of by its id alone.',
      requestParams: { path: ofApp, query: schemas.messagesQuery },
      responses: { 200: { description: 'A page', content: json(schemas.messagePage) }, ...failing() },
    },
  },
  readMessage: {
    method: 'GET',
    path: MESSAGE,
    right: 'read',
    document: {
      summary: 'Where a message stands',
      requestParams: { path: ofMessage },
      responses: {
        200: { description: 'Its status and attempts', content: json(schemas.statusReport) },
        ...failing('unknown-message'),
      },
    },
  },
  cancelMessage: {
    method: 'DELETE',
    path: MESSAGE,
    right: 'send',
    document: {
      summary: 'Cancel a message',
      description:
        'Possible until something of it may have reached WeChat. Twice is once. Of a text in parts, with the id of the first: all of them that are not sent yet, and 409 where some are.',
      requestParams: { path: ofMessage },
      responses: {
        200: { description: 'It will not be sent', content: json(schemas.cancelled) },
        ...failing('unknown-message', 'too-late'),
      },
    },
  },
  listDeadLetters: {
    method: 'GET',
    path: LETTERS,
    right: 'read',
    document: {
      summary: 'Dead letters, newest first',
      description:
        'With the filter of counts and tasks. Codes, people and times have indexes; for `notTouser`, names of reasons and times of acceptance letters are looked at, some two thousand for a page.',
      requestParams: { path: ofApp, query: listQuery },
      responses: { 200: { description: 'A page', content: json(schemas.deadLetterPage) }, ...failing() },
    },
  },
  readDeadLetter: {
    method: 'GET',
    path: LETTER,
    right: 'read',
    document: {
      summary: 'One dead letter',
      requestParams: { path: ofLetter },
      responses: {
        200: { description: 'The message, the reason and all attempts', content: json(schemas.deadLetter) },
        ...failing('unknown-dead-letter'),
      },
    },
  },
  discardDeadLetter: {
    method: 'DELETE',
    path: LETTER,
    right: 'replay',
    document: {
      summary: 'Discard a dead letter for good',
      requestParams: { path: ofLetter },
      responses: {
        200: { description: 'It is gone', content: json(schemas.discarded) },
        ...failing('unknown-dead-letter', 'being-replayed'),
      },
    },
  },
  replayDeadLetter: {
    method: 'POST',
    path: `${LETTER}:replay`,
    right: 'replay',
    document: {
      summary: 'Send a dead letter again, as a new message',
      description: 'A worker carries it out. Asked again, the answer is the same id.',
      requestParams: { path: ofLetter },
      responses: {
        202: {
          description: 'The id of the new message',
          headers: z.object({ Location: z.string() }),
          content: json(schemas.replayRequested),
        },
        ...failing('unknown-dead-letter', 'not-replayable'),
      },
    },
  },
}
