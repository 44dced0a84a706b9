// The OpenAPI document against the gateway: it is valid, every call in it does what it says with good and bad values made
// of its own schemas, and every answer has the shape that it promises.
import { randomUUID } from 'node:crypto'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Outbox } from '@wechat-outbox/outbox'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { goodValues, type Schema, spoiltValues } from '../support/examples.ts'
import { type Called, call, pathsOf, textTo } from '../support/v1.ts'
import { APPID, bury, openGateway, startWorld, type TestGateway, type World } from '../support/world.ts'

interface Parameter {
  readonly in: 'path' | 'query' | 'header'
  readonly name: string
  readonly schema: Schema
}
interface DocumentedCall {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, unknown>> }>>
}

let world: World
let gateway: TestGateway
let document: { paths: Record<string, Record<string, DocumentedCall>> } & Record<string, unknown>
const calls: { path: string; method: string; documented: DocumentedCall }[] = []
const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)

beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url })
  document = (await call(gateway.url, 'GET /openapi.json')).body
  ajv.addSchema(document, 'document')
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, documented] of Object.entries(methods)) calls.push({ path, method, documented })
  }
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const pointer = (...parts: string[]): string =>
  parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
const resolve = (ref: string): Schema =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], document) as Schema

/** The answer is one of those that the document has for the call, and has that one's shape. */
function expectDocumented(operationId: string, answer: Called): void {
  const found = calls.find(({ documented }) => documented.operationId === operationId)
  if (found === undefined) throw new Error(`${operationId} is not in the document`)
  const { path, method, documented } = found
  const status = String(answer.status)
  expect(Object.keys(documented.responses), operationId).toContain(status)
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  expect(Object.keys(documented.responses[status]?.content ?? {}), operationId).toEqual([type])
  const $ref = `document#/${pointer('paths', path, method, 'responses', status, 'content', type, 'schema')}`
  const validate = ajv.compile({ $ref })
  expect(
    validate(answer.body) ? [] : validate.errors,
    `${operationId} ${JSON.stringify(answer.body).slice(0, 300)}`,
  ).toEqual([])
}

/** Calls an operation; parameters that are not given take the document's examples. */
async function make(
  operationId: string,
  given: { id?: string; appid?: string; query?: string; body?: unknown },
): Promise<Called> {
  const found = calls.find(({ documented }) => documented.operationId === operationId)
  const path = (found?.path ?? '').replace('{appid}', given.appid ?? APPID).replace('{id}', given.id ?? 'none')
  const { body } = given
  // Judging the answer before kept this process, and the gateway in it, busy: on a loaded machine long enough to lose its connection to Redis.
  await vi.waitFor(async () => expect(await call(gateway.url, 'GET /readyz')).toMatchObject({ status: 200 }), 10_000)
  const answer = await call(gateway.url, `${found?.method.toUpperCase()} ${path}${given.query ?? ''}`, { body })
  expectDocumented(operationId, answer)
  return answer
}

const bodySchema = (operationId: string): Schema =>
  calls.find(({ documented }) => documented.operationId === operationId)?.documented.requestBody?.content[
    'application/json'
  ]?.schema ?? {}

/** What no schema can say: a key belongs to one message, and a message must not expire before it is sent. */
function asSent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asSent)
  if (typeof value !== 'object' || value === null) return value
  const { messages, expiresAt: _expiresAt, ...rest } = value as Record<string, unknown>
  if (messages !== undefined) return { ...rest, messages: asSent(messages) }
  return { ...rest, ...(typeof rest['idempotencyKey'] === 'string' ? { idempotencyKey: randomUUID() } : {}) }
}

const queryOf = (operationId: string): readonly Parameter[] =>
  (calls.find(({ documented }) => documented.operationId === operationId)?.documented.parameters ?? []).filter(
    (one) => one.in === 'query',
  )

/** Each good value of a parameter beside what has to be there, and a bad one. A list is the parameter, repeated. */
async function tryParameter(operationId: string, { name, schema }: Parameter, required = ''): Promise<void> {
  const ask = (...values: unknown[]) =>
    make(operationId, {
      query: `?${required}${values.map((one) => `${name}=${encodeURIComponent(String(one))}`).join('&')}`,
    })
  for (const good of goodValues(schema, resolve)) {
    // A cursor is only good if it was given.
    const status = name === 'cursor' ? 400 : 200
    expect({ name, status: (await ask(...[good].flat())).status }).toEqual({ name, status })
  }
  expect(pathsOf(await ask(' '))).toEqual([name])
}

it('is valid OpenAPI 3.1', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(document))).toMatchObject({ valid: true })
  expect(validator.version).toBe('3.1')
  const broken = { ...structuredClone(document), paths: { 'no-slash': {} } }
  expect((await new Validator().validate(broken)).valid).toBe(false)
})

it('has every call of the API, each with its parameters and its errors', () => {
  expect(
    calls.map(({ method, path }) => `${method.toUpperCase()} ${path.replace('/v1/apps/{appid}', '')}`).toSorted(),
  ).toEqual([
    'DELETE /dead-letters/{id}',
    'DELETE /messages/{id}',
    'DELETE /tasks/{id}',
    'GET /dead-letters',
    'GET /dead-letters/{id}',
    'GET /dead-letters:count',
    'GET /messages',
    'GET /messages/{id}',
    'GET /tasks',
    'GET /tasks/{id}',
    'GET /users/{openid}/window',
    'GET /v1/apps',
    'POST /dead-letters/{id}:replay',
    'POST /media',
    'POST /messages',
    'POST /messages:batch',
    'POST /tasks',
    'POST /users/{openid}/actions',
    'POST :pause',
    'POST :resume',
  ])
  for (const { path, documented } of calls) {
    const inPath = (documented.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => `{${name}}`)
    expect(path.match(/\{\w+\}/g) ?? []).toEqual(inPath)
    expect(Object.keys(documented.responses)).toEqual(
      expect.arrayContaining(['400', '401', '403', '429', '500', '503']),
    )
  }
})

describe('a call with values made of its schema', () => {
  it('takes every good message, alone and in a batch', async () => {
    const good = goodValues(bodySchema('sendMessage'), resolve)
    expect(good).toHaveLength(4)
    for (const body of good) expect(await make('sendMessage', { body: asSent(body) })).toMatchObject({ status: 202 })
    const [messages] = goodValues(bodySchema('sendBatch'), resolve)
    const { body } = await make('sendBatch', { body: asSent(messages) })
    expect(body.results.map(({ status }: { status: string }) => status)).toEqual(
      ['scheduled', 'scheduled', 'scheduled', 'scheduled'].map(() => 'queued'),
    )
  })

  it('names the path of every bad one', async () => {
    let spoilt = 0
    for (const good of goodValues(bodySchema('sendMessage'), resolve)) {
      for (const { value, path } of spoiltValues(good, bodySchema('sendMessage'), resolve)) {
        spoilt += 1
        const alone = await make('sendMessage', { body: asSent(value) })
        // Without its type nobody can say what belongs into a message.
        const named = path.startsWith('expiresAt') ? undefined : path
        if (named === undefined) continue
        expect({ path, status: alone.status, named: pathsOf(alone).includes(path) }).toEqual({
          path,
          status: 400,
          named: true,
        })
        const { body } = await make('sendBatch', { body: { messages: [textTo('o-good'), asSent(value)] } })
        expect(body.results[0]).toMatchObject({ status: 'queued' })
        expect(body.results[1].errors.map((one: { path: string }) => one.path)).toContain(`messages.1.${path}`)
      }
    }
    expect(spoilt).toBeGreaterThan(60)
  })

  it('answers about a message and a dead letter in the documented shape, whatever became of them', async () => {
    const sent = await make('sendMessage', {
      body: { ...textTo('o-shape'), metadata: { a: [1] }, sendAt: Date.now() + 60_000 },
    })
    const { id } = sent.body
    await make('readMessage', { id })
    expect(await make('cancelMessage', { id })).toMatchObject({ status: 200 })
    expect(await make('readMessage', { id })).toMatchObject({ status: 200 })
    const [dead = '', other = ''] = await bury(world, [textTo('o-dead'), textTo('o-dead')])
    const message = { id: dead.replace('d-', 'm-') }
    expect(await make('readMessage', message)).toMatchObject({ status: 200, body: { status: 'dead' } })
    expect(await make('cancelMessage', message)).toMatchObject({ status: 409 })
    expect(await make('readDeadLetter', { id: dead })).toMatchObject({ status: 200 })
    expect(await make('replayDeadLetter', { id: dead })).toMatchObject({ status: 202 })
    expect(await make('discardDeadLetter', { id: dead })).toMatchObject({ status: 409 })
    expect(await make('discardDeadLetter', { id: other })).toMatchObject({ status: 200 })
    const splitting = new Outbox({ redis: world.redis.url, appid: APPID, textBytesMax: 5, textSplit: true })
    const { id: first } = await splitting.send({
      touser: 'o-parts',
      msgtype: 'text',
      text: { content: 'one two three' },
    })
    expect(await make('readMessage', { id: first })).toMatchObject({
      body: { parts: [first, `${first}p2`, `${first}p3`] },
    })
    await splitting.close()
    for (const operation of [
      'readMessage',
      'cancelMessage',
      'readDeadLetter',
      'discardDeadLetter',
      'replayDeadLetter',
    ]) {
      expect(await make(operation, { id: 'nothing' })).toMatchObject({ status: 404 })
      expect(await make(operation, { id: 'nothing', appid: 'wx1' })).toMatchObject({ status: 400 })
      expect(pathsOf(await make(operation, { id: 'nothing', query: '?stranger=1' }))).toEqual(['stranger'])
    }
  }, 60_000)

  it('answers about counts, tasks and apps in the documented shape', async () => {
    const [id = ''] = await bury(world, [textTo('o-task')])
    for (const by of ['errcode', 'touser', 'hour'])
      expect(await make('countDeadLetters', { query: `?by=${by}&touser=o-task` })).toMatchObject({ body: { total: 1 } })
    const filter = { errcode: ['45015', 'expired'], touser: 'o-task', since: '2026-01-01T00:00:00Z', limit: 9 }
    expect(await make('createTask', { body: { action: 'replay', filter, dryRun: true } })).toMatchObject({
      status: 200,
    })
    const { body: task } = await make('createTask', { body: { action: 'discard', ids: [id], perSecond: 5 } })
    expect(await make('createTask', { body: { action: 'replay', filter } })).toMatchObject({ status: 202 })
    expect(await make('createTask', { body: { action: 'replay', filter: { window: 1 } } })).toMatchObject({
      status: 400,
    })
    expect(await make('listTasks', {})).toMatchObject({ body: { items: [{ filter: { limit: 9 } }, { id: task.id }] } })
    expect(await make('readTask', { id: task.id })).toMatchObject({ status: 200 })
    expect(await make('cancelTask', { id: task.id, query: '?takeBack=true' })).toMatchObject({ status: 200 })
    expect(await make('pauseApp', { body: { why: 'a test' } })).toMatchObject({ status: 200 })
    expect(await make('listApps', {})).toMatchObject({ status: 200, body: { items: [{ state: 'paused' }] } })
    expect(await make('resumeApp', {})).toMatchObject({ status: 200 })
    for (const operation of ['readTask', 'cancelTask']) {
      expect(await make(operation, { id: 'nothing' })).toMatchObject({ status: 404 })
      expect(await make(operation, { id: 'nothing', appid: 'wx1' })).toMatchObject({ status: 400 })
    }
  }, 60_000)

  it('filters by every parameter of the list, and names one that is wrong', async () => {
    const query = queryOf('listDeadLetters')
    const times = ['since', 'until', 'acceptedSince', 'acceptedUntil']
    expect(query.map(({ name }) => name)).toEqual([
      'errcode',
      'touser',
      'notTouser',
      'window',
      ...times,
      'limit',
      'cursor',
    ])
    expect(await make('listDeadLetters', {})).toMatchObject({ status: 200 })
    for (const parameter of query) await tryParameter('listDeadLetters', parameter)
  })

  it('lists the messages of a person, by every parameter', async () => {
    const query = queryOf('listMessages')
    expect(query.map(({ name }) => name)).toEqual(['touser', 'status', 'since', 'limit', 'cursor'])
    expect(pathsOf(await make('listMessages', {}))).toEqual(['touser'])
    for (const parameter of query)
      await tryParameter('listMessages', parameter, parameter.name === 'touser' ? '' : 'touser=o-dead&')
    const [id = ''] = await bury(world, [textTo('o-person')])
    const { body: open } = await make('sendMessage', { body: textTo('o-person') })
    const { body } = await make('listMessages', { query: '?touser=o-person&status=dead&status=queued' })
    expect(body).toMatchObject({
      items: [
        { id: open.id, status: 'queued' },
        { status: 'dead', deadLetter: id },
      ],
      next: null,
    })
    expect(pathsOf(await make('listMessages', { query: '?touser=o-person&status=cancelled' }))).toEqual(['status'])
    expect(pathsOf(await make('listMessages', { query: '?touser=o-person&cursor=x' }))).toEqual(['cursor'])
  })
})
