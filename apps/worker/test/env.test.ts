import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { rereadApps } from '../src/env.ts'
import { readWorkerConfig } from '../src/index.ts'
import { appsFiles, ONE, one, problemsOf, SECRET, TWO } from './support/env.ts'

const { fileOf, inDir } = appsFiles()

describe('readWorkerConfig', () => {
  it('needs a Redis and an app, and has a default for everything else', () => {
    expect(readWorkerConfig(one)).toMatchObject({
      apps: [ONE],
      WECHAT_API_BASE_URL: 'https://api.weixin.qq.com',
      WORKER_CONCURRENCY: 64,
      SEND_TIMEOUT_MS: 5000,
      RETRY_ATTEMPTS_MAX: 16,
      RETRY_BACKOFF_MS: 1000,
      RETRY_BACKOFF_MS_MAX: 300_000,
      IDEMPOTENCY_TTL_HOURS: 72,
      RETAIN_DELIVERED_HOURS: 24,
      RETAIN_DELIVERED_MAX: 10_000,
      RETAIN_DEAD_DAYS: 30,
      STALLED_AFTER_MS: 10_000,
      WORKER_HOST: '127.0.0.1',
      WORKER_PORT: 9464,
      LOG_LEVEL: 'info',
      SHUTDOWN_TIMEOUT_MS: 25_000,
    })
  })

  it('says what is wrong with the Redis, the address and the file beside everything else', () => {
    const file = fileOf([
      { appid: ONE.appid, [SECRET]: 'x', token: { type: 'http', url: 'https://t', headers: { [SECRET]: 7 } } },
    ])
    const env = { ...file, REDIS_URL: `redis://:${SECRET}@h?db=5`, WECHAT_API_BASE_URL: 'http://h', WORKER_PORT: 'x' }
    expect(problemsOf(env)).toEqual([
      expect.stringMatching(/^REDIS_URL .*`db=` is not understood/),
      expect.stringMatching(/^WORKER_PORT must be/),
      'WECHAT_APPS_FILE 0.token.headers.* must be text',
      'WECHAT_APPS_FILE 0 has a field other than appid, secret, concurrency, maxPerSecond, token, push, callback, onClosed',
      expect.stringMatching(/^WECHAT_API_BASE_URL: /),
    ])
    expect(problemsOf({ WECHAT_APPS_FILE: '/nowhere', SEND_TIMEOUT_MS: 'x' })).toEqual([
      'REDIS_URL is missing',
      expect.stringMatching(/^SEND_TIMEOUT_MS must be/),
      'WECHAT_APPS_FILE cannot be read',
    ])
  })

  it('says every problem of the variables at once', () => {
    expect(problemsOf({ SEND_TIMEOUT_MS: 'fast', WORKER_PORT: '70000', LOG_LEVEL: 'loud' })).toEqual(
      expect.arrayContaining([
        'REDIS_URL is missing',
        'SEND_TIMEOUT_MS must be a whole number',
        'WORKER_PORT must be from 0 to 65535',
        'LOG_LEVEL must be a level of pino',
      ]),
    )
  })

  it('refuses a list of names that are none', () => {
    const problem = 'WORKER_ALLOWED_HOSTS must be names or addresses without ports, separated by commas'
    expect(problemsOf({ ...one, WORKER_ALLOWED_HOSTS: 'https://metrics.example' })).toEqual([problem])
  })

  it('says what is wrong with the apps beside what is wrong with the variables', () => {
    const problems = problemsOf({ SEND_TIMEOUT_MS: 'fast', WECHAT_APP_ID: ONE.appid })
    expect(problems).toEqual(
      expect.arrayContaining([
        'REDIS_URL is missing',
        'SEND_TIMEOUT_MS must be a whole number',
        'WECHAT_APP_SECRET is missing',
      ]),
    )
  })

  it('says every rule that is broken between variables at once', () => {
    const env = { ...one, STALLED_AFTER_MS: '6999', RETRY_BACKOFF_MS: '2', RETRY_BACKOFF_MS_MAX: '1' }
    expect(problemsOf(env)).toEqual([
      expect.stringMatching(/^STALLED_AFTER_MS must be at least SEND_TIMEOUT_MS \+ 2000/),
      expect.stringMatching(/^RETRY_BACKOFF_MS_MAX must be at least/),
    ])
  })

  it('lets a message be taken over only two seconds after its call has ended', () => {
    expect(problemsOf({ ...one, SEND_TIMEOUT_MS: '5000', STALLED_AFTER_MS: '7000' })).toEqual([])
    expect(problemsOf({ ...one, SEND_TIMEOUT_MS: '5001', STALLED_AFTER_MS: '7000' })).toHaveLength(1)
    expect(problemsOf({ ...one, SEND_TIMEOUT_MS: '9000' })).toHaveLength(1)
  })
})

describe('one app', () => {
  it.each([
    [{}, ['WECHAT_APP_ID and WECHAT_APP_SECRET are missing (or WECHAT_APPS_FILE, for several apps)']],
    [{ WECHAT_APP_ID: ONE.appid }, ['WECHAT_APP_SECRET is missing']],
    [{ WECHAT_APP_ID: ONE.appid, WECHAT_APP_SECRET: '' }, ['WECHAT_APP_SECRET is missing']],
    [{ WECHAT_APP_SECRET: SECRET }, ['WECHAT_APP_ID is missing']],
    [{ WECHAT_APP_ID: SECRET, WECHAT_APP_SECRET: ONE.appid }, ['WECHAT_APP_ID must be wx and 16 hex digits']],
  ])('is refused when it is incomplete: %#', (env, problems) => {
    expect(problemsOf({ REDIS_URL: 'redis://h', ...env })).toEqual(problems)
  })
})

describe('a file of apps', () => {
  it('gives several, with what each has of its own, and the one of the variables beside them', () => {
    const full = { ...TWO, concurrency: 3, maxPerSecond: 10, token: { type: 'classic' } }
    expect(readWorkerConfig(fileOf([ONE, full])).apps).toEqual([ONE, full])
    expect(readWorkerConfig({ ...fileOf([TWO]), ...one }).apps).toEqual([TWO, ONE])
  })

  it.each([`[{"appid":"wx0123456789abcdef","secret":"${SECRET}"`, `${SECRET}`, `[{"secret":"${SECRET}"},]`, ''])(
    'that is no JSON is refused without being quoted: %#',
    (content) => {
      expect(problemsOf(fileOf(content))).toEqual(['WECHAT_APPS_FILE is not JSON'])
    },
  )

  it('that cannot be read is refused', () => {
    const missing = { REDIS_URL: 'redis://h', WECHAT_APPS_FILE: inDir('nowhere.json') }
    expect(problemsOf(missing)).toEqual(['WECHAT_APPS_FILE cannot be read'])
    expect(problemsOf({ ...missing, WECHAT_APPS_FILE: inDir('.') })).toEqual(['WECHAT_APPS_FILE cannot be read'])
  })

  it('names each app twice only in its problems', () => {
    expect(problemsOf(fileOf([ONE, TWO, ONE]))).toEqual([`${ONE.appid} is configured twice`])
    expect(problemsOf({ ...fileOf([ONE]), ...one })).toEqual([`${ONE.appid} is configured twice`])
  })

  it('is checked field by field', () => {
    const bad = [
      { ...ONE, concurency: 5 },
      { appid: SECRET, secret: '' },
      { ...TWO, concurrency: 0, maxPerSecond: 1.5, token: { type: SECRET } },
    ]
    const problems = problemsOf(fileOf(bad))
    expect(problems.map((problem) => problem.split(' ').slice(0, 2).join(' '))).toEqual(
      expect.arrayContaining([
        'WECHAT_APPS_FILE 1.appid',
        'WECHAT_APPS_FILE 1.secret',
        'WECHAT_APPS_FILE 2.concurrency',
        'WECHAT_APPS_FILE 2.maxPerSecond',
        'WECHAT_APPS_FILE 2.token.type',
      ]),
    )
    expect(problems.join('\n')).toContain('has a field other than appid, secret, concurrency')
  })

  it('needs a secret only for tokens from WeChat itself', () => {
    const { appid } = ONE
    const file = { appid, token: { type: 'file', path: '/token' } }
    expect(readWorkerConfig(fileOf([file])).apps).toMatchObject([file])
    const missing = (type: string) => [`WECHAT_APPS_FILE 0.secret is missing, and ${type} tokens need it`]
    expect(problemsOf(fileOf([{ appid }]))).toEqual(missing('stable'))
    expect(problemsOf(fileOf([{ appid, token: { type: 'classic' } }]))).toEqual(missing('classic'))
  })

  it.each([[[]], [{}], [ONE], ['text'], [7], [null]])('holds a list with something in it, not %j', (content) => {
    expect(problemsOf(fileOf(JSON.stringify(content)))).toHaveLength(1)
  })
})

describe('the division of the apps', () => {
  it('leaves those that are named, and a part of them', () => {
    const both = fileOf([ONE, TWO])
    expect(readWorkerConfig({ ...both, WORKER_APPS: `${TWO.appid}, ${ONE.appid}` }).apps).toEqual([ONE, TWO])
    expect(readWorkerConfig({ ...both, WORKER_APPS: TWO.appid }).apps).toEqual([TWO])
    const parts = ['1/2', '2/2'].flatMap((part) => readWorkerConfig({ ...both, WORKER_SHARD: part }).apps)
    expect(parts).toHaveLength(2)
  })

  it.each([
    [{ WORKER_APPS: 'wx00000000000000aa' }, 'WORKER_APPS names wx00000000000000aa, which is not configured'],
    [{ WORKER_APPS: `${ONE.appid},${SECRET}` }, 'WORKER_APPS must be appids, separated by commas'],
    [{ WORKER_SHARD: '3/2' }, 'WORKER_SHARD must be a part of parts: 1/4 to 4/4'],
    [{ WORKER_SHARD: SECRET }, 'WORKER_SHARD must be a part of parts: 1/4 to 4/4'],
  ])('is refused when it makes no sense: %j', (env, problem) => {
    expect(problemsOf({ ...one, ...env })).toEqual([problem])
  })

  it('is read again from the file, which is refused as a whole', () => {
    const env = fileOf([ONE, TWO])
    const config = readWorkerConfig({ ...env, WORKER_APPS: TWO.appid })
    const path = env['WECHAT_APPS_FILE'] ?? ''
    writeFileSync(path, JSON.stringify([{ ...TWO, concurrency: 2 }]))
    expect(rereadApps(config)).toEqual([{ ...TWO, concurrency: 2 }])
    writeFileSync(path, JSON.stringify([ONE]))
    expect(() => rereadApps(config)).toThrow(`WORKER_APPS names ${TWO.appid}, which is not configured`)
    writeFileSync(path, `[{"appid":"${SECRET}","secret":"${SECRET}"}]`)
    expect(() => rereadApps(config)).toThrow(/WECHAT_APPS_FILE 0.appid/)
  })
})
