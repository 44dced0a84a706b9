/**
 * The spans of a worker: one for each run of a message, and below it one for each attempt, most of which is the call to WeChat. The
 * parent of a run is the `traceparent` that the producer stored with the message. A message without one has a trace of its own, which
 * follows from its id, so that the runs of different workers are in it together.
 *
 * Times are Redis's, as everywhere in a worker: the clocks of two workers may differ, and a trace shows what they did one after the other.
 * Never an address with its query, content, an openid, or what WeChat wrote beside its code.
 */
import { traceparentSchema } from '@wechat-outbox/messages'
import type { Run, Settlement } from '@wechat-outbox/outbox/engine'
import type { TraceAttributes, TraceSpan, Tracing } from '@wechat-outbox/runtime'
import type { Attempted, Recorder } from './record.ts'

export interface RunTraces {
  /** Begins the span of a run. What the recorder is told of the run's attempts, becomes spans below it. */
  begin(run: Run, recorder: Recorder): Recorder
  /** Ends it; `isRecorded`: Redis has what the run came to. */
  settled(run: Run, settlement: Settlement, isRecorded: boolean): void
}

export function createRunTraces(
  tracing: Tracing,
  { appid, wechatUrl }: { readonly appid: string; readonly wechatUrl: string },
): RunTraces {
  const open = new WeakMap<Run, TraceSpan>()
  const call = attributesOfCall(wechatUrl)
  return {
    begin(run, recorder) {
      const span = tracing.startSpan('process wechat-outbox', {
        kind: 'consumer',
        parent: traceparentOf(run.data),
        seed: run.id,
        at: run.now(),
        attributes: {
          'messaging.system': 'bullmq',
          'messaging.destination.name': 'wechat-outbox',
          'messaging.operation.type': 'process',
          'messaging.operation.name': 'process',
          'messaging.message.id': run.id,
          'wxo.appid': appid,
          'wxo.msgtype': run.msgtype,
        },
      })
      open.set(run, span)
      return {
        ...recorder,
        attempted(attempted) {
          recorder.attempted(attempted)
          traceAttempt(attempted, { tracing, parent: span, call })
        },
      }
    },
    settled(run, settlement, isRecorded) {
      const span = open.get(run)
      span?.set({ 'wxo.settlement': settlement.kind, 'wxo.recorded': isRecorded, ...attributesOf(settlement) })
      span?.end({ at: run.now(), error: settlement.kind === 'dead' ? settlement.reason.name : undefined })
    },
  }
}

interface Below {
  readonly tracing: Tracing
  readonly parent: TraceSpan
  readonly call: ReturnType<typeof attributesOfCall>
}

function traceAttempt(attempted: Attempted, { tracing, parent, call }: Below): void {
  const { attempt, outcome, number, isPicture = false } = attempted
  const isCall = !isPicture && outcome.kind !== 'no-token'
  const { at, ms, errcode, rid } = attempt
  const span = tracing.startSpan(isCall ? call.name : isPicture ? 'picture' : 'token', {
    kind: isCall ? 'client' : 'internal',
    parent,
    at,
    attributes: {
      ...(isCall ? call.attributes : {}),
      'http.response.status_code': 'status' in outcome ? outcome.status : undefined,
      'wechat.errcode': errcode,
      'wechat.rid': rid,
      'wxo.attempt': number,
      'wxo.outcome': attempt.outcome,
    },
  })
  span.end({ at: at + ms, error: attempt.outcome === 'delivered' ? undefined : String(errcode ?? attempt.outcome) })
}

function attributesOfCall(wechatUrl: string) {
  const { hostname, port, protocol, pathname } = new URL(wechatUrl)
  const path = `${pathname.replace(/\/+$/, '')}/cgi-bin/message/custom/send`
  return {
    name: `POST ${path}`,
    attributes: {
      'http.request.method': 'POST',
      'url.template': path,
      'server.address': hostname,
      'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    },
  }
}

function attributesOf(settlement: Settlement): TraceAttributes {
  switch (settlement.kind) {
    case 'snooze':
      return { 'wxo.delay_ms': settlement.delayMs, 'wxo.counts': settlement.counts }
    case 'dead':
      return { 'wxo.reason': settlement.reason.name, 'wechat.errcode': settlement.reason.errcode ?? undefined }
    default:
      return {}
  }
}

/** The data is read by nobody before its run has begun. */
function traceparentOf(data: unknown): string | undefined {
  const { traceparent } = (data ?? {}) as { readonly traceparent?: unknown }
  return traceparentSchema.safeParse(traceparent).data
}
