/** What holds apps, over HTTP: a look at all of them, and an operator's pause and resume. */
import { reasonLine } from '@wechat-outbox/messages'
import * as engine from '@wechat-outbox/outbox/engine'
import type { FastifyRequest } from 'fastify'
import type { V1Deps } from './add-v1.ts'
import { pauseRequest } from './operator-schemas.ts'
import { guarded, noQuery, readBody, readParameters, readQuery } from './read.ts'

export async function listApps({ store: open }: V1Deps, request: FastifyRequest) {
  readQuery(request, noQuery)
  return guarded(async () => {
    const store = await open()
    const appids = await engine.readKnownApps(store, undefined)
    const served = await engine.readServed(store, appids)
    const now = await store.clock.read()
    const items = appids.map(async (appid) => {
      const [hold, { send, deadLetter, waitingForUser }] = await Promise.all([
        engine.readHold(store, appid),
        engine.readBacklog(store, appid, now),
      ])
      const waiting = send.waiting + send.active + send.delayed
      const counts = { waiting, waitingForUser, deadLetters: deadLetter.failed }
      return { appid, ...stateOf(hold), ...counts, served: served.has(appid) }
    })
    return { items: await Promise.all(items) }
  })
}

/** An operator's pause comes first: no probe ends it. */
function stateOf(hold: engine.Hold | null) {
  if (hold === null) return { state: 'open', reason: null }
  const { operator, fault, pausedElsewhere } = hold
  if (operator !== undefined) return { state: 'paused', reason: operator.why === '' ? 'by an operator' : operator.why }
  if (pausedElsewhere || fault === undefined) return { state: 'paused', reason: 'with BullMQ' }
  return { state: fault.kind, reason: reasonLine(fault.reason) }
}

export async function pauseApp({ store }: V1Deps, request: FastifyRequest) {
  const { params, query, body: given = {} } = request
  const { appid, body } = readBody({ params, query, body: given }, pauseRequest)
  return { appid, changed: await guarded(async () => engine.pauseApp(await store(), appid, { why: body.why })) }
}

export async function resumeApp({ store }: V1Deps, request: FastifyRequest) {
  const { appid } = readParameters(request, noQuery)
  return { appid, changed: await guarded(async () => engine.resumeApp(await store(), appid)) }
}
