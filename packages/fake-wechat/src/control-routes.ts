// The control API: how another process controls the fake. JSON in, JSON out; 400 with the problem
// named when a request makes no sense.
//
//   GET    /_control/ledger?since=SEQ        {sends, tokenCalls, otherCalls, tokensIssued}; at most 10,000 sends a call
//   GET    /_control/summary                 counts: accepted, per errcode, per fault, doubles, token calls
//   GET    /_control/faults                  the rules that stand, with their hits
//   POST   /_control/faults                  a rule: {endpoint?, rate?, times?, appid?, touser?, match?, fault} → {id}
//   DELETE /_control/faults[?id=N]           all of them, or one
//   POST   /_control/users/{openid}          {action: message | enter | close | exhaust | unknown | known | open} → {pushed} if there is a push
//   POST   /_control/push                    {url, token}, or {}: nobody is told what users do
//   POST   /_control/windows                 {messageLimit?, messageWindowMs?, enterLimit?, enterWindowMs?}
//   POST   /_control/tokens                  {expiresInS?, forceMinIntervalS?, forcePerDay?, classicGraceS?}
//   POST   /_control/tokens/invalidate       {appid?, repeatDead?}
//   POST   /_control/media/forget            {mediaId?}
//   POST   /_control/apps                    {appid, secret}
//   POST   /_control/reset                   {keepTokens?}
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FakeControl } from './control.ts'
import type { FaultRule } from './faults.ts'
import type { Ledger } from './ledger.ts'
import type { PushSettings } from './push.ts'
import type { UserAction } from './windows.ts'
import type { World } from './world.ts'

const SENDS_PER_PAGE = 10_000

const parseBody = (request: FastifyRequest): Record<string, unknown> => {
  if (typeof request.body !== 'string' || request.body === '') return {}
  const parsed: unknown = JSON.parse(request.body)
  if (typeof parsed !== 'object' || parsed === null) throw new TypeError('the body must be a JSON object')
  return parsed as Record<string, unknown>
}

/** Turns a handler's TypeError or SyntaxError into a 400; whatever else it throws is a bug and a 500. */
const answering =
  (handle: (request: FastifyRequest) => unknown) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    try {
      return (await handle(request)) ?? { ok: true }
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error
      return reply.code(400).send({ error: error.message })
    }
  }

export const addControlRoutes = (server: FastifyInstance, world: World, control: FakeControl): void => {
  const { ledger } = world.book
  const post = (path: string, act: (body: Record<string, unknown>, request: FastifyRequest) => unknown): void => {
    server.post(
      `/_control/${path}`,
      answering((request) => act(parseBody(request), request)),
    )
  }
  server.get(
    '/_control/ledger',
    answering((request) => ledgerPage(ledger, Number((request.query as { since?: string }).since ?? 0))),
  )
  server.get('/_control/summary', answering(ledger.summary))
  server.get(
    '/_control/faults',
    answering(() => ({ faults: control.faults() })),
  )
  server.delete(
    '/_control/faults',
    answering((request) => {
      const { id } = request.query as { id?: string }
      control.clearFaults(id === undefined ? undefined : Number(id))
    }),
  )
  // The control functions check what they are given, so the bodies may pass as what they claim to be.
  post('faults', (body) => ({ id: control.addFault(body as FaultRule) }))
  post('users/:openid', async (body, request) => {
    const { openid } = request.params as { openid: string }
    const action = body.action as UserAction
    if (!world.pushes.isOn() || (action !== 'message' && action !== 'enter')) return control.user(openid, action)
    return { ok: true, ...(await control.push(openid, action)) }
  })
  post('push', (body) => control.setPush(Object.keys(body).length === 0 ? null : (body as PushSettings)))
  post('windows', (body) => control.setWindows(body))
  post('tokens', (body) => control.setTokens(body))
  post('tokens/invalidate', (body) => control.invalidateTokens(body))
  post('media/forget', (body) => control.forgetMedia(body))
  post('apps', (body) => control.setApp(body as { appid: string; secret: string }))
  post('reset', (body) => control.reset(body))
}

const ledgerPage = (ledger: Ledger, sinceSeq: number): unknown => {
  if (!Number.isSafeInteger(sinceSeq) || sinceSeq < 0) throw new TypeError('since must be a sequence number')
  const sends = ledger.sends(sinceSeq).slice(0, SENDS_PER_PAGE)
  const { tokenCalls, otherCalls, tokensIssued } = ledger
  return { sends, tokenCalls: tokenCalls(), otherCalls: otherCalls(), tokensIssued: [...tokensIssued] }
}
