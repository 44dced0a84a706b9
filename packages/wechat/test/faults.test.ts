import type { Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { faultDetail } from '../src/faults.ts'
import { call, openClient } from './support/clients.ts'
import { ANSWER_BYTES_MAX, FAULTY_ANSWERS, HANG_TIMEOUT_MS, limitFor, PATIENCE_MS } from './support/faulty-answers.ts'
import { OK, rawServer } from './support/raw-server.ts'

const patient = { timeoutMs: PATIENCE_MS }
const options = { ...patient, answerBytesMax: ANSWER_BYTES_MAX }

describe('a request that was written', () => {
  it.each(FAULTY_ANSWERS)('meets $name', async ({ respond, outcome }) => {
    const server = await rawServer({ onRequest: respond })
    await expect(openClient(server.url, { ...options, timeoutMs: limitFor(outcome) }).send(call)).resolves.toEqual(
      outcome,
    )
    expect(server.requests).toHaveLength(1)
  })

  it('leaves a client that works on after every fault', async () => {
    let respond: (socket: Socket, request: string) => void = () => {}
    const server = await rawServer({ onRequest: (socket, request) => respond(socket, request) })
    const client = openClient(server.url, { ...options, connections: 1 })
    for (const fault of FAULTY_ANSWERS) {
      respond = fault.respond
      await expect(client.send({ ...call, timeoutMs: limitFor(fault.outcome) })).resolves.toEqual(fault.outcome)
      respond = (socket) => socket.write(OK)
      await expect(client.send(call)).resolves.toMatchObject({ kind: 'answered' })
    }
  })

  it('is unsure when it is aborted', async () => {
    const arrived = Promise.withResolvers<void>()
    const server = await rawServer({ onRequest: () => arrived.resolve() })
    const client = openClient(server.url, patient)
    const controller = new AbortController()
    const open = client.send({ ...call, signal: controller.signal })
    await arrived.promise
    controller.abort()
    await expect(open).resolves.toEqual({ kind: 'unsure', detail: 'aborted while waiting for headers' })
  })
})

describe('a request that was not written', () => {
  it('finds a port that refuses', async () => {
    // Port 1 of the loopback belongs to a service that nobody has run for decades.
    const outcome = await openClient('http://127.0.0.1:1', patient).send(call)
    expect(outcome).toEqual({ kind: 'not-sent', detail: 'connect ECONNREFUSED' })
  })

  it('finds a port that refuses on every address of a name', async () => {
    const outcome = await openClient('http://localhost:1', patient).send(call)
    expect(outcome).toEqual({ kind: 'not-sent', detail: 'connect ECONNREFUSED' })
  })

  it('finds a name that does not exist', async () => {
    const outcome = await openClient('https://wechat.invalid', patient).send(call)
    expect(outcome).toEqual({ kind: 'not-sent', detail: expect.stringMatching(/^dns (?:ENOTFOUND|EAI_AGAIN)$/u) })
  })

  it('finds a server that speaks no TLS', async () => {
    const server = await rawServer({ onConnection: (socket) => void socket.write('220 mail.example ESMTP\r\n') })
    const outcome = await openClient(`https://127.0.0.1:${server.port}`, patient).send(call)
    expect(outcome).toEqual({ kind: 'not-sent', detail: expect.stringMatching(/^tls [A-Z_]+$/u) })
  })

  it('finds a TLS handshake that is never answered', async () => {
    const server = await rawServer({})
    const url = `https://127.0.0.1:${server.port}`
    const byCall = await openClient(url, { timeoutMs: HANG_TIMEOUT_MS }).send(call)
    expect(byCall).toEqual({ kind: 'not-sent', detail: 'timeout while connecting' })
    const byConnect = await openClient(url, { ...patient, connectTimeoutMs: 50 }).send(call)
    expect(byConnect).toEqual({ kind: 'not-sent', detail: 'timeout while connecting' })
  })

  it.each([
    ['closed', (socket: Socket) => void socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('may already have been, where a connection is %s as soon as it stands', async (_how, onConnection) => {
    const server = await rawServer({ onConnection })
    const outcome = await openClient(server.url, options).send(call)
    // Whether the first byte was handed over before the end was seen is a matter of luck; both are told as what they are.
    const detail = expect.stringMatching(/^(?:connect|timeout|connection closed|ECONNRESET|EPIPE)/u)
    expect(outcome).toEqual({ kind: expect.stringMatching(/^(?:not-sent|unsure)$/u), detail })
  })

  it('waits for a connection no longer than its timeout, and is then never sent', async () => {
    const arrived = Promise.withResolvers<() => void>()
    const server = await rawServer({ onRequest: (socket) => arrived.resolve(() => socket.write(OK)) })
    const client = openClient(server.url, { ...patient, connections: 1 })
    const first = client.send(call)
    const respond = await arrived.promise
    const second = await client.send({ ...call, timeoutMs: 20 })
    expect(second).toEqual({ kind: 'not-sent', detail: 'timeout while waiting for a connection' })
    respond()
    await expect(first).resolves.toMatchObject({ kind: 'answered' })
    expect(server.requests).toHaveLength(1)
  })

  it('does not make the next one wait after it gave up itself', async () => {
    // Every connection to this server hangs, so a forgotten call that was still connected for would hold the only place.
    const server = await rawServer({})
    const client = openClient(`https://127.0.0.1:${server.port}`, { ...patient, connections: 1, connectTimeoutMs: 50 })
    const first = client.send(call)
    const impatient = Array.from({ length: 5 }, () => client.send({ ...call, timeoutMs: 20 }))
    const details = (await Promise.all([first, ...impatient])).map((outcome) =>
      'detail' in outcome ? outcome.detail : '',
    )
    expect(details).toEqual([
      'timeout while connecting',
      ...Array.from({ length: 5 }, () => 'timeout while waiting for a connection'),
    ])
    const next = await client.send({ ...call, timeoutMs: 100 })
    expect(next).toEqual({ kind: 'not-sent', detail: 'timeout while connecting' })
  })

  it('is not begun with an aborted signal or without any time', async () => {
    const server = await rawServer({ onRequest: (socket) => socket.write(OK) })
    const client = openClient(server.url)
    const aborted = { kind: 'not-sent', detail: 'aborted while waiting for a connection' }
    await expect(client.send({ ...call, signal: AbortSignal.abort() })).resolves.toEqual(aborted)
    const late = { kind: 'not-sent', detail: 'timeout while waiting for a connection' }
    await expect(client.send({ ...call, timeoutMs: 0 })).resolves.toEqual(late)
    expect(server.accepted).toBe(0)
  })

  it('is stopped while it connects, and the connection serves the next one', async () => {
    const server = await rawServer({ onRequest: (socket) => socket.write(OK) })
    const client = openClient(server.url, { connections: 1 })
    const controller = new AbortController()
    const stopped = client.send({ ...call, signal: controller.signal })
    controller.abort()
    await expect(stopped).resolves.toEqual({ kind: 'not-sent', detail: 'aborted while connecting' })
    await expect(client.send(call)).resolves.toMatchObject({ kind: 'answered' })
    expect(server.requests).toHaveLength(1)
    expect(server.accepted).toBe(1)
  })
})

describe('one signal for many calls', () => {
  it('lets none slip through while it ends them', async () => {
    const server = await rawServer({})
    const client = openClient(server.url, { ...patient, connections: 2 })
    const controller = new AbortController()
    const open = Array.from({ length: 10 }, () => client.send({ ...call, signal: controller.signal }))
    await vi.waitFor(() => expect(server.requests).toHaveLength(2), 20_000)
    controller.abort()
    const details = (await Promise.all(open)).map((outcome) => ('detail' in outcome ? outcome.detail : ''))
    expect(details.slice(0, 2)).toEqual(Array.from({ length: 2 }, () => 'aborted while waiting for headers'))
    expect(details.slice(2)).toEqual(Array.from({ length: 8 }, () => 'aborted while waiting for a connection'))
    expect(server.requests).toHaveLength(2)
  })

  it('ends them all, and warns of nothing', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => void warnings.push(warning)
    process.on('warning', onWarning)
    const server = await rawServer({})
    const client = openClient(server.url, { ...patient, connections: 40 })
    const controller = new AbortController()
    const open = Array.from({ length: 40 }, () => client.send({ ...call, signal: controller.signal }))
    controller.abort()
    expect(new Set((await Promise.all(open)).map((outcome) => outcome.kind))).toEqual(new Set(['not-sent']))
    await new Promise(setImmediate)
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})

describe('faultDetail', () => {
  it.each([undefined, null, 'text', 42, new Error('secret'), { code: 'lower-case secret' }, new AggregateError([])])(
    'finds words for anything that is thrown, and never its own: %o',
    (error) => {
      expect(faultDetail(error, 'connecting')).toBe('connect UNKNOWN')
      expect(faultDetail(error, 'sent')).toBe('UNKNOWN while waiting for headers')
    },
  )
})
