import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type Fate,
  freeLoopbackPort,
  type LocalRedis,
  REDIS_ERRORS,
  type RedisProxy,
  startLocalRedis,
  startRedisProxy,
} from '../src/index.ts'

/** What a loaded machine may take; none of it is asserted. */
const PATIENT = { timeout: 20_000 }

let dir: string
let server: LocalRedis
/** The straight way. */
let direct: Redis
let proxy: RedisProxy
let clients: Redis[] = []

const open = (options: Omit<RedisOptions, 'replyMapping'> = {}): Redis => {
  const client = new Redis({ port: proxy.port, retryStrategy: () => 20, ...options })
  client.on('error', () => undefined)
  clients.push(client)
  return client
}
/** Refuses every command that begins with these words. */
const refuse = (error: string, ...start: string[]) =>
  proxy.setOnCommand((command) => (start.every((word, at) => command[at] === word) ? { refuse: error } : undefined))
const loseFirst = (...start: string[]) => {
  let lost = false
  proxy.setOnCommand((command): Fate => {
    if (lost || start.some((word, at) => command[at] !== word)) return undefined
    lost = true
    return 'lose-reply'
  })
}
const messageOf = (error: Error): string => error.message

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'redis-proxy-'))
  server = await startLocalRedis({ dir, appendonly: false })
  direct = new Redis(server.url)
})
afterAll(async () => {
  direct.disconnect()
  await server.kill9()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  await direct.flushall()
  proxy = await startRedisProxy({ targetPort: server.port })
})
afterEach(async () => {
  for (const client of clients) client.disconnect()
  clients = []
  await proxy.close()
})

describe.each([2, 3] as const)('over RESP%i', (protocol) => {
  const connected = () => open({ protocol })

  it('passes commands on and sees each of them', async () => {
    const seen: string[][] = []
    proxy.setOnCommand((command) => void seen.push([...command]))
    const redis = connected()
    await redis.hset('h', { a: '1', b: 'zwei' })
    expect(await redis.hgetall('h')).toEqual({ a: '1', b: 'zwei' })
    expect(await redis.get('nothing')).toBeNull()
    expect(await redis.call('SMEMBERS', 'nothing')).toEqual([])
    expect(seen).toEqual(
      expect.arrayContaining([
        ['hset', 'h', 'a', '1', 'b', 'zwei'],
        ['get', 'nothing'],
        ['smembers', 'nothing'],
      ]),
    )
    expect(proxy.counts()).toEqual({ commands: seen.length, refused: 0, lost: 0 })
  })

  it('refuses some of a thousand in a pipeline, each in its place, and executes none of these', async () => {
    proxy.setOnCommand(([name, key = '']) =>
      name === 'rpush' && Number(key.slice(1)) % 7 === 0 ? { refuse: REDIS_ERRORS.READONLY } : undefined,
    )
    const pipeline = connected().pipeline()
    for (let at = 0; at < 500; at += 1) pipeline.rpush(`k${at}`, 'x'.repeat(at % 50)).lrange(`k${at}`, 0, -1)
    const replies = (await pipeline.exec()) ?? []
    for (let at = 0; at < 500; at += 1) {
      const [pushed, read] = replies.slice(2 * at, 2 * at + 2)
      if (at % 7 === 0) {
        expect(pushed?.[0]?.message).toBe(REDIS_ERRORS.READONLY)
        expect(read).toEqual([null, []])
      } else {
        expect(pushed).toEqual([null, 1])
        expect(read).toEqual([null, ['x'.repeat(at % 50)]])
      }
    }
    expect(proxy.counts().refused).toBe(72)
    expect(await direct.exists('k0', 'k7', 'k497')).toBe(0)
  })

  it('passes big values both ways and puts a refusal behind one', async () => {
    refuse(REDIS_ERRORS.OOM, 'incr')
    const value = Buffer.alloc(8 * 1024 * 1024, 'abcdefg\r\n+')
    const redis = connected()
    await redis.set('big', value)
    const [read, refused, again] = await Promise.all([
      redis.getBuffer('big'),
      redis.incr('n').catch(messageOf),
      redis.strlen('big'),
    ])
    expect(read?.equals(value)).toBe(true)
    expect(refused).toBe(REDIS_ERRORS.OOM)
    expect(again).toBe(value.length)
  })

  it('answers what is refused behind a command that waits when that is answered', async () => {
    refuse(REDIS_ERRORS.MISCONF, 'incr')
    const redis = connected()
    const order: string[] = []
    const waited = redis.bzpopmin('z', 0).finally(() => order.push('bzpopmin'))
    const refused = redis.incr('n').catch((error: Error) => {
      order.push('incr')
      return error.message
    })
    await vi.waitFor(async () => expect(await direct.info('clients')).toContain('blocked_clients:1'), PATIENT)
    await direct.zadd('z', 1, 'one')
    expect(await waited).toEqual(['z', 'one', '1'])
    expect(await refused).toBe(REDIS_ERRORS.MISCONF)
    expect(order).toEqual(['bzpopmin', 'incr'])
  })

  it('aborts a transaction of which it refused a command', async () => {
    refuse(REDIS_ERRORS.NOREPLICAS, 'set', 'b')
    const redis = connected()
    await redis.watch('a')
    const error = await redis
      .multi()
      .set('a', 1)
      .set('b', 2)
      .set('c', 3)
      .exec()
      .catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ message: 'EXECABORT Transaction discarded because of previous errors.' })
    expect((error as unknown as { previousErrors: Error[] }).previousErrors.map(messageOf)).toEqual([
      REDIS_ERRORS.NOREPLICAS,
    ])
    expect(await direct.exists('a', 'b', 'c')).toBe(0)
    // It watches nothing any more, and the next one runs.
    await direct.set('a', 'theirs')
    expect(await redis.multi().get('a').set('c', 3).exec()).toEqual([
      [null, 'theirs'],
      [null, 'OK'],
    ])
  })

  it('aborts a transaction whose EXEC it refused, with the reason', async () => {
    refuse(REDIS_ERRORS.BUSY, 'exec')
    const redis = connected()
    const error = await redis.multi().set('a', 1).exec().catch(messageOf)
    expect(error).toBe(`EXECABORT Transaction discarded because of: ${REDIS_ERRORS.BUSY}`)
    proxy.setOnCommand()
    expect(await direct.exists('a')).toBe(0)
    expect(await redis.multi().get('a').exec()).toEqual([[null, null]])
  })

  it('lets a missing script fail in the middle of a transaction whose rest takes effect', async () => {
    const redis = connected()
    const sha = (await redis.script('LOAD', "return 'ran'")) as string
    refuse(REDIS_ERRORS.NOSCRIPT, 'evalsha')
    const replies = await redis.multi().set('a', 1).evalsha(sha, 0).set('b', 2).exec()
    expect(replies?.map(([error, value]) => error?.message ?? value)).toEqual(['OK', REDIS_ERRORS.NOSCRIPT, 'OK'])
    expect(await direct.mget('a', 'b')).toEqual(['1', '2'])
  })

  it('loses the answer of what was executed, after the answers before it, and nothing behind it arrives', async () => {
    loseFirst('incr')
    const redis = open({ protocol, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 })
    await redis.ping()
    const answers = await Promise.all([
      redis.set('a', 1),
      redis.incr('n').catch(() => 'broken'),
      redis.set('b', 2).catch(() => 'broken'),
    ])
    expect(answers).toEqual(['OK', 'broken', 'broken'])
    expect(await direct.mget('a', 'n', 'b')).toEqual(['1', '1', null])
    await vi.waitFor(async () => expect(await redis.incr('n')).toBe(2), PATIENT)
    expect(proxy.counts().lost).toBe(1)
  })

  it('loses the answer of a transaction that was executed', async () => {
    loseFirst('exec')
    const redis = open({ protocol, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 })
    await redis.ping()
    await expect(redis.multi().incr('n').exec()).rejects.toThrow()
    expect(await direct.get('n')).toBe('1')
  })

  it('makes ioredis send a script whole when it is told that there is none', async () => {
    const redis = connected()
    redis.defineCommand('hit', { numberOfKeys: 1, lua: "return redis.call('INCR', KEYS[1])" })
    const hit = () => (redis as unknown as { hit: (key: string) => Promise<number> }).hit('n')
    await hit()
    const names: (string | undefined)[] = []
    proxy.setOnCommand(([name]) => {
      names.push(name)
      return name === 'evalsha' ? { refuse: REDIS_ERRORS.NOSCRIPT } : undefined
    })
    expect(await hit()).toBe(2)
    expect(names).toEqual(['evalsha', 'eval'])
  })

  it('passes on all that a subscriber hears', async () => {
    const subscriber = connected()
    const heard: string[] = []
    subscriber.on('message', (channel, message) => heard.push(`${channel} ${message}`))
    subscriber.on('pmessage', (_pattern, channel, message) => heard.push(`p ${channel} ${message}`))
    await subscriber.get('a')
    expect(await subscriber.subscribe('one', 'two')).toBe(2)
    await subscriber.psubscribe('th*')
    for (const channel of ['one', 'three', 'two']) await direct.publish(channel, 'hi')
    await vi.waitFor(() => expect(heard).toEqual(['one hi', 'p three hi', 'two hi']), PATIENT)
    await subscriber.unsubscribe('one')
  })

  it('refuses a subscription, too', async () => {
    refuse(REDIS_ERRORS.LOADING, 'subscribe')
    expect(await connected().subscribe('one').catch(messageOf)).toBe(REDIS_ERRORS.LOADING)
  })
})

it('keeps pushes that nobody asked for out of the count of replies', async () => {
  refuse(REDIS_ERRORS.READONLY, 'incr')
  const redis = open({ protocol: 3 })
  await redis.call('CLIENT', 'TRACKING', 'ON')
  for (let round = 0; round < 20; round += 1) {
    await redis.get('tracked')
    const [, refused, length] = await Promise.all([
      direct.set('tracked', round),
      redis.incr('n').catch(messageOf),
      redis.strlen('tracked'),
    ])
    expect(refused).toBe(REDIS_ERRORS.READONLY)
    expect(typeof length).toBe('number')
  }
})

/** All that Redis says to bytes that come one by one, until `until` has come. */
const bytewise = async (bytes: string, until: string): Promise<string> => {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true })
  let said = ''
  socket.on('data', (chunk) => {
    said += String(chunk)
  })
  for (const byte of Buffer.from(bytes)) {
    await new Promise<void>((resolve) => socket.write(Buffer.from([byte]), () => resolve()))
  }
  await vi.waitFor(() => expect(said.endsWith(until)).toBe(true), PATIENT)
  socket.destroy()
  return said
}

it('reads commands that come byte by byte, and inline ones', async () => {
  refuse(REDIS_ERRORS.OOM, 'set', 'b')
  const bytes = '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\nSET b 1\r\n*2\r\n$3\r\nget\r\n$1\r\na\r\nECHO end\r\n'
  const said = await bytewise(bytes, '$3\r\nend\r\n')
  expect(said).toBe(`+OK\r\n-${REDIS_ERRORS.OOM}\r\n$2\r\n\r\n\r\n$3\r\nend\r\n`)
})

it('forgets a spoilt transaction at RESET', async () => {
  refuse(REDIS_ERRORS.OOM, 'set', 'b')
  const said = await bytewise('MULTI\r\nSET b 1\r\nRESET\r\nMULTI\r\nGET b\r\nEXEC\r\n', '*1\r\n$-1\r\n')
  expect(said).toBe(`+OK\r\n-${REDIS_ERRORS.OOM}\r\n+RESET\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n`)
})

it('leaves it to Redis to say that something is no command', async () => {
  expect(await bytewise('PING\r\n*1\r\n:1\r\n', "got ':'\r\n")).toBe(
    "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n",
  )
})

it('passes on what comes with a command after which it reads no more', async () => {
  refuse(REDIS_ERRORS.OOM, 'ping')
  const said = await bytewise('PING\r\nCLIENT REPLY ON\r\nPING\r\nECHO end\r\n', '$3\r\nend\r\n')
  expect(said).toBe(`-${REDIS_ERRORS.OOM}\r\n+OK\r\n+PONG\r\n$3\r\nend\r\n`)
})

it('breaks its clients when Redis is not there', async () => {
  const lonely = await startRedisProxy({ targetPort: await freeLoopbackPort() })
  expect(await once(connect(lonely.port, '127.0.0.1'), 'error')).toMatchObject([{ code: 'ECONNRESET' }])
  await lonely.close()
})
