// Servers to which a connection must not become ready, made by real ones: a replica, a database out of range, a password, a
// certificate that nobody trusts, an old version.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as soon } from 'node:timers/promises'
import { askRedis, freeLoopbackPort, type LocalRedis, startLocalRedis, startTcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { messageOf } from '../../src/errors.ts'
import { Outbox } from '../../src/producer/outbox.ts'
import { type ConnectionUse, connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { readReadiness } from '../../src/redis/readiness.ts'

const APP = 'wx0123456789abcdef'
const SECRET = 'S3CRETwrong'
const WAIT = { timeout: 20_000, interval: 20 }
let dir = ''
let primary: LocalRedis
let replica: LocalRedis
let tls: LocalRedis

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-guard-'))
  const certificate = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') }
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  execFileSync('openssl', [...request, '-keyout', certificate.key, '-out', certificate.cert], { stdio: 'ignore' })
  const tlsArgs = ['--tls-cert-file', certificate.cert, '--tls-key-file', certificate.key, '--tls-auth-clients', 'no']
  primary = await startLocalRedis({ dir: join(dir, 'a') })
  replica = await startLocalRedis({ dir: join(dir, 'b') })
  tls = await startLocalRedis({ dir: join(dir, 'c'), args: [...tlsArgs, '--tls-ca-cert-file', certificate.cert] })
  await askRedis(primary.port, 'ACL SETUSER guarded on >right ~* &* +@all')
  await askRedis(primary.port, 'ACL SETUSER nodb on >right ~* &* +@all -select')
  await askRedis(replica.port, 'ACL SETUSER safe on >right ~* &* +@all -@dangerous')
  await askRedis(replica.port, `REPLICAOF 127.0.0.1 ${primary.port}`)
}, 60_000)
afterAll(async () => {
  await Promise.all([primary, replica, tls].map((server) => server.stop()))
  await rm(dir, { recursive: true, force: true })
})

function open(url: string, use: ConnectionUse = 'work'): RedisClient {
  const client = connectRedis(url, use)
  onTestFinished(() => client.disconnect())
  return client
}

async function tlsPort(): Promise<number> {
  const port = await freeLoopbackPort()
  await vi.waitFor(async () => expect(await askRedis(tls.port, `CONFIG SET tls-port ${port}`)).toBe('+OK'), WAIT)
  return port
}

const failing: [string, () => string | Promise<string>, RegExp, RegExp][] = [
  ['a wrong password', () => url({ login: `guarded:${SECRET}@` }), /refuses the user or the password/, /WRONGPASS/],
  ['a database out of range', () => url({ path: '/99' }), /database.*cannot be selected/, /out of range/],
  ['no right to SELECT', () => url({ login: 'nodb:right@', path: '/1' }), /cannot be selected/, /NOPERM.*select/],
  [
    'an unknown CA',
    async () => `rediss://127.0.0.1:${await tlsPort()}`,
    /not trusted.*NODE_EXTRA_CA_CERTS/,
    /self-signed/,
  ],
]
const url = ({ login = '', path = '' }) => `redis://${login}127.0.0.1:${primary.port}${path}`

describe('what repeating cannot help', () => {
  it.each(failing)(
    '%s is WXO_CONFIG at once, with what the connection said as its cause',
    async (_, urlOf, message, cause) => {
      const given = await urlOf()
      for (const use of ['work', 'produce', 'operate'] as const) {
        const waited = await whenReady(open(given, use)).catch((error: unknown) => error)
        expect(waited).toMatchObject({ code: 'WXO_CONFIG', message: expect.stringMatching(message) })
        expect(waited).toHaveProperty('cause.message', expect.stringMatching(cause))
      }
      const outbox = new Outbox({ redis: given, appid: APP })
      onTestFinished(() => outbox.close())
      const sent = await outbox
        .send({ touser: 'o1', msgtype: 'text', text: { content: 'x' } })
        .catch((error: unknown) => error)
      expect(sent).toMatchObject({ code: 'WXO_CONFIG', message: expect.stringMatching(message) })
      expect(everythingOf(sent)).not.toMatch(new RegExp(`${SECRET}|redis://`))
      // Nothing was stored anywhere, a database that was not meant included.
      expect(await askRedis(primary.port, 'DBSIZE')).toBe(':0')
    },
  )

  it('is told of a missing password', async () => {
    const guarded = await startLocalRedis({ dir: join(dir, 'd'), args: ['--requirepass', 'right'] })
    onTestFinished(() => guarded.stop())
    const error = await whenReady(open(guarded.url)).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'WXO_CONFIG', message: 'Redis wants a password, and the Redis URL has none' })
    await whenReady(open(guarded.url.replace('redis://', 'redis://:right@')))
  })

  it('is told of a Redis that is too old', async () => {
    const old = await pretendVersion(primary.port, '6.0.15')
    const error = await whenReady(open(old)).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'WXO_CONFIG', message: 'Redis 6.0.15 is too old: 6.2 or later is needed' })
  })

  it('ends when the setting is mended: the connection goes on trying', async () => {
    await askRedis(primary.port, 'ACL SETUSER later on >other ~* &* +@all')
    const client = open(url({ login: 'later:right@' }), 'produce')
    await expect(whenReady(client)).rejects.toMatchObject({ code: 'WXO_CONFIG' })
    await askRedis(primary.port, 'ACL SETUSER later >right')
    await vi.waitFor(() => whenReady(client, 100), WAIT)
  })
})

describe('a Redis that is away', () => {
  it('is not available, and the cause is what the connection said last', async () => {
    const error = await whenReady(open('redis://u:S3CRETpw@127.0.0.1:1', 'produce'), 100).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'WXO_UNAVAILABLE', message: 'Redis is not available' })
    expect(error).toHaveProperty('cause.message', expect.stringMatching(/ECONNREFUSED/))
    expect(everythingOf(error)).not.toContain('S3CRET')
  })

  it('is not waited for on a connection that has been closed', async () => {
    const client = connectRedis(primary.url, 'operate')
    await whenReady(client)
    await client.quit()
    await vi.waitFor(() => expect(client.status).toBe('end'), WAIT)
    await expect(whenReady(client)).rejects.toMatchObject({ code: 'WXO_CLOSED' })
  })
})

describe('a connection that waits to connect again', () => {
  it.each(['single', 'cluster'])('ends at once when it is closed, and so does all that was asked: %s', async (kind) => {
    const proxy = await startTcpProxy({ targetPort: primary.port })
    onTestFinished(() => proxy.close())
    const client = open(kind === 'single' ? proxy.url('redis') : `${proxy.url('redis')},${proxy.url('redis')}/`)
    const answers: unknown[] = []
    const ask = (asked: Promise<unknown>): void => void asked.catch(messageOf).then((answer) => answers.push(answer))
    if (kind === 'single') {
      await whenReady(client)
      ask(client.bzpopmin('nothing', 60))
    }
    await proxy.refuse(true)
    proxy.resetAll()
    await vi.waitFor(() => expect(client.status).toBe('reconnecting'), WAIT)
    ask(client.get('k'))
    // More than once without having been ready: what was asked of the first connection is kept elsewhere then.
    await new Promise((resolve) => client.once('connecting', resolve))
    await vi.waitFor(() => expect(client.status).toBe('reconnecting'), WAIT)
    expect(answers).toEqual([])
    client.disconnect()
    await vi.waitFor(() => expect(client.status).toBe('end'), WAIT)
    const closed = expect.stringMatching(/^Connection is closed|^None of startup nodes is available/)
    await vi.waitFor(() => expect(answers).toEqual(kind === 'single' ? [closed, closed] : [closed]), WAIT)
  })
})

describe('a replica', () => {
  it('never becomes ready, and is told as the cause', async () => {
    const client = open(replica.url)
    const error = await whenReady(client, 300).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'WXO_UNAVAILABLE', cause: { message: expect.stringMatching(/is a replica/) } })
    expect(await readReadiness(client)).toBe('away')
  })

  it('is one to a user who may not ask INFO, too', async () => {
    const client = open(replica.url.replace('redis://', 'redis://safe:right@'))
    const error = await whenReady(client, 300).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ cause: { message: expect.stringMatching(/is a replica/) } })
  })

  it.each(['by the look at its health', 'by one of its connections'])(
    'is left %s, by all connections to its address',
    async (how) => {
      const [old, next] = await Promise.all(
        ['e', 'f'].map((name) => startLocalRedis({ dir: join(dir, name + how.length) })),
      )
      if (old === undefined || next === undefined) throw new Error('no Redis')
      const proxy = await startTcpProxy({ targetPort: old.port })
      const clients = (['work', 'work', 'produce'] as const).map((use) => open(proxy.url('redis'), use))
      onTestFinished(async () => {
        for (const client of clients) client.disconnect()
        await proxy.close()
        await Promise.all([old.stop(), next.stop()])
      })
      await Promise.all(clients.map((client) => whenReady(client)))
      const [first, subscriber, producer] = clients as [RedisClient, RedisClient, RedisClient]
      await subscriber.subscribe('channel')
      proxy.retarget(next.port)
      await askRedis(old.port, `REPLICAOF 127.0.0.1 ${next.port}`)
      if (how === 'by one of its connections') await expect(producer.set('k', '1')).rejects.toThrow('READONLY')
      else expect(await readReadiness(first)).toBe('refuses')
      await vi.waitFor(async () => {
        for (const client of clients) expect(await client.info('server')).toContain(`tcp_port:${next.port}`)
      }, WAIT)
      expect(await producer.publish('channel', 'news')).toBe(1)
    },
  )
})

it('a connection that is given up answers nothing more, even if its server goes on at that moment', async () => {
  const proxy = await startTcpProxy({ targetPort: primary.port })
  onTestFinished(() => proxy.close())
  const client = open(proxy.url('redis'))
  await whenReady(client, 5000)
  const connection = (): Promise<unknown> => client.call('CLIENT', 'ID')
  const givenUp = await connection()
  proxy.stall(true)
  const asked = connection()
  await soon()
  client.disconnect(true)
  proxy.stall(false)
  const answeredBy = await asked
  expect(answeredBy).not.toBe(givenUp)
  expect(answeredBy).toBe(await connection())
})

/** A real Redis whose INFO tells another version, of the same length. */
async function pretendVersion(port: number, version: string): Promise<string> {
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1')
    client.pipe(redis)
    redis.on('data', (bytes) => {
      const told = bytes
        .toString('latin1')
        .replace(/redis_version:[\d.]+/, (real) => `redis_version:${version}`.padEnd(real.length, '0'))
      client.write(Buffer.from(told, 'latin1'))
    })
    redis.on('close', () => client.destroy())
    client.on('error', () => redis.destroy())
    redis.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function everythingOf(error: unknown): string {
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error as object, name)))
  const cause = (error as { cause?: unknown }).cause
  return [String(error), ...own, ...(cause === undefined ? [] : [everythingOf(cause)])].join('\n')
}
