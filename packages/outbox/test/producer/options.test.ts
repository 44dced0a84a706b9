import { WINDOW_RULES_DEFAULT } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { OutboxError } from '../../src/errors.ts'
import { readOptions } from '../../src/producer/options.ts'
import { Outbox } from '../../src/producer/outbox.ts'

const REDIS = 'redis://127.0.0.1:1'
const MISSING = expect.stringMatching(/^is missing: give a URL/)
const NO_URL = expect.stringMatching(/^is refused: the Redis URL must be redis:\/\/host:port/)

/** What a service in plain JavaScript may hand over. */
function refusalOf(options: unknown): OutboxError {
  try {
    const outbox = new Outbox(options as never)
    void outbox.close()
  } catch (error) {
    if (error instanceof OutboxError) return error
    throw error
  }
  throw new Error('the options were taken')
}

describe('options that cannot be meant', () => {
  it.each<[string, unknown, { path: string; message: unknown }[]]>([
    ['none', undefined, [{ path: '', message: 'must be an object with redis' }]],
    ['null', null, [{ path: '', message: 'must be an object with redis' }]],
    ['a URL alone', REDIS, [{ path: '', message: 'must be an object with redis' }]],
    ['a list', [REDIS], [{ path: '', message: 'must be an object with redis' }]],
    ['an empty object', {}, [{ path: 'redis', message: MISSING }]],
    ['a variable that is not set', { redis: undefined }, [{ path: 'redis', message: MISSING }]],
    ['no URL', { redis: null }, [{ path: 'redis', message: MISSING }]],
    ['an empty URL', { redis: '' }, [{ path: 'redis', message: NO_URL }]],
    ['a URL of something else', { redis: 'http://u:S3CRET@a' }, [{ path: 'redis', message: NO_URL }]],
    [
      'a part of a URL that is not kept',
      { redis: 'redis://h?password=S3CRET' },
      [{ path: 'redis', message: expect.stringMatching(/^is refused: .*`password=` is not understood/) }],
    ],
    ['a port', { redis: 6379 }, [{ path: 'redis', message: expect.stringMatching(/^must be a URL, or an object/) }]],
    [
      'options of a client',
      { redis: { host: '127.0.0.1', port: 6379, password: 'S3CRET' } },
      [{ path: 'redis', message: expect.stringMatching(/^must be a URL, or an object/) }],
    ],
    ['an object whose open is no method', { redis: { open: true } }, [{ path: 'redis', message: expect.anything() }]],
  ])('are named: %s', (_, options, issues) => {
    const error = refusalOf(options)
    expect(error).toMatchObject({ code: 'WXO_CONFIG', issues })
    expect(error.message).toContain(issues[0]?.path ?? '')
    expect(error.message + JSON.stringify(error.issues)).not.toContain('S3CRET')
  })

  it.each<[string, unknown]>([
    ...['wx1', '', null, 7].map((value): [string, unknown] => ['appid', value]),
    ...[0, -1, 8761, Number.NaN, Infinity, '72', null].map((value): [string, unknown] => [
      'idempotencyTtlHours',
      value,
    ]),
    ...[3, 65_537, 5.5, Number.NaN, '2048', null].map((value): [string, unknown] => ['textBytesMax', value]),
    ...['true', 1, null].map((value): [string, unknown] => ['textSplit', value]),
    ...[true, null, {}, { tracer: {} }].map((value): [string, unknown] => ['telemetry', value]),
    ...['wait', true, null].map((value): [string, unknown] => ['onClosed', value]),
    ...[null, { message: '5' }, { enter: '0/1m' }, { wave: '5/48h' }].map((value): [string, unknown] => [
      'windows',
      value,
    ]),
    ['idempotencyTTLHours', 24],
  ])('are named: %s %j', (path, value) => {
    expect(refusalOf({ redis: REDIS, [path]: value })).toMatchObject({ code: 'WXO_CONFIG', issues: [{ path }] })
  })

  it('are named all at once', () => {
    const error = refusalOf({ appid: 'wx1', idempotencyTtlHours: null, textBytesMax: '1', textSplit: 0, url: REDIS })
    const paths = ['redis', 'appid', 'idempotencyTtlHours', 'textBytesMax', 'textSplit', 'url']
    expect(error.issues.map(({ path }) => path)).toEqual(paths)
    expect(error.message).toMatch(/^the Outbox cannot be made: redis is missing: .*; appid must be .*, and 1 more$/)
  })
})

it('what is undefined has its default', () => {
  const given = {
    appid: undefined,
    idempotencyTtlHours: undefined,
    textBytesMax: undefined,
    textSplit: undefined,
    durability: undefined,
    onClosed: undefined,
    windows: undefined,
  }
  const defaults = {
    onClosed: undefined,
    windows: WINDOW_RULES_DEFAULT,
    ttlMs: 72 * 3_600_000,
    texts: { bytesMax: 2048, isSplit: false },
    isReplicated: false,
  }
  expect(readOptions({ redis: REDIS, ...given })).toEqual({ redis: REDIS, appid: undefined, ...defaults })
})

describe('a call that cannot be meant', () => {
  it.each<[string, (outbox: Outbox) => Promise<unknown>, unknown]>([
    ['sendMany of nothing', (outbox) => outbox.sendMany(undefined as never), [{ path: '' }]],
    ['sendMany of one', (outbox) => outbox.sendMany({ length: 1 } as never), [{ path: '' }]],
    ['the status of nothing', (outbox) => outbox.status(undefined as never), [{ path: 'id' }]],
    [
      'cancelling nothing',
      (outbox) => outbox.cancel(null as never, null as never),
      [{ path: 'id' }, { path: 'appid' }],
    ],
  ])('is refused without a look at Redis: %s', async (_, call, issues) => {
    const outbox = new Outbox({ redis: REDIS, appid: 'wx0123456789abcdef' })
    await expect(call(outbox)).rejects.toMatchObject({ code: 'WXO_INVALID', issues })
    await outbox.close()
  })
})
