/**
 * `/v1`: the outbox over HTTP. It adds no queue of its own; what a request asks for is done by the outbox package, and
 * what that says becomes a status and a problem. `docs/http.md` describes the calls.
 */
import type { sendRequestSchema } from '@wechat-outbox/messages'
import type { Outbox } from '@wechat-outbox/outbox'
import type { Store } from '@wechat-outbox/outbox/engine'
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import type { Access } from '../access.ts'
import { type KnownApps, refuseUnknownApps } from '../known-apps.ts'
import { refuseOtherMethods } from '../other-methods.ts'
import { listApps, pauseApp, resumeApp } from './apps.ts'
import { createBodyLimits } from './body-limits.ts'
import {
  countDeadLetters,
  discardDeadLetter,
  listDeadLetters,
  readDeadLetter,
  replayDeadLetter,
} from './dead-letters.ts'
import { addDocsPage } from './docs-page.ts'
import { openApiDocument } from './document.ts'
import { addBodies } from './json-body.ts'
import { type MediaDeps, uploadMedia } from './media.ts'
import { cancelMessage, listMessages, readMessage } from './messages.ts'
import type { Operation } from './operation.ts'
import { type OperationId, operations } from './operations.ts'
import { sendBatch, sendMessage } from './send.ts'
import { cancelTask, createTask, listTasks, readTask } from './tasks.ts'
import { readWindow, recordAction } from './windows.ts'

export type SendSchema = ReturnType<typeof sendRequestSchema>

export interface V1Deps {
  readonly outbox: Outbox
  /** What the Outbox judges requests by. */
  readonly schema: SendSchema
  readonly store: () => Promise<Store>
  readonly access: Pick<Access, 'require'>
  /** Messages are taken for these apps alone. */
  readonly knownApps: KnownApps
  /** For how long the status of a message still reports that its dead letter was discarded. */
  readonly rememberMs: number
  readonly media: MediaDeps
}

type Handler = (deps: V1Deps, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

const handlers: Record<OperationId, Handler> = {
  sendMessage,
  sendBatch,
  listMessages,
  readMessage,
  cancelMessage,
  listDeadLetters,
  readDeadLetter,
  discardDeadLetter,
  replayDeadLetter,
  countDeadLetters,
  createTask,
  listTasks,
  readTask,
  cancelTask,
  listApps,
  pauseApp,
  resumeApp,
  recordAction,
  readWindow,
  uploadMedia,
}

export async function addV1(app: FastifyInstance, deps: V1Deps): Promise<void> {
  await app.register(async (scope) => {
    addBodies(scope)
    const refuseUnknown = refuseUnknownApps(deps.knownApps)
    const limitBodies = createBodyLimits()
    const served = new Map<string, HTTPMethods[]>()
    for (const [id, operation] of Object.entries<Operation>(operations)) {
      const { method, path, right, takes, stores = false } = operation
      const bodyBytesMax = takes === 'image' ? deps.media.bytesMax : operation.bodyBytesMax
      const url = routeOf(path)
      served.set(url, [...(served.get(url) ?? []), method, ...(method === 'GET' ? (['HEAD'] as const) : [])])
      scope.route({
        method,
        url,
        ...(bodyBytesMax === undefined ? {} : { bodyLimit: bodyBytesMax }),
        onRequest: [
          deps.access.require(right),
          ...(stores ? [refuseUnknown] : []),
          ...(bodyBytesMax === undefined ? [] : [limitBodies(bodyBytesMax)]),
        ],
        handler: async (request, reply) => {
          reply.header('cache-control', 'no-store')
          return handlers[id as OperationId](deps, request, reply)
        },
      })
    }
    for (const [url, allowed] of served) refuseOtherMethods(scope, url, allowed)
  })
  await addDocsPage(app, openApiDocument())
}

/** `/dead-letters/{id}:replay` as the router writes it: a parameter ends at a colon, and a doubled colon is one. */
function routeOf(path: string): string {
  return path
    .replaceAll(':', '::')
    .replaceAll(/\{(\w+)\}(?=::)/g, ':$1([^:/]+)')
    .replaceAll(/\{(\w+)\}/g, ':$1')
}
