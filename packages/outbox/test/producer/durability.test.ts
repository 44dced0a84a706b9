// A message that only the primary has is lost by a failover. A replica that stands still (SIGSTOP) is one that has nothing yet:
// its connection stands, and Redis goes on answering.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askRedis, type LocalRedis, startLocalRedis, startTcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import type { OutboxOptions } from '../../src/producer/options.ts'
import { Outbox } from '../../src/producer/outbox.ts'

const APP = 'wx0123456789abcdef'
const WAIT = { timeout: 20_000, interval: 20 }
/** What the machine may add under load to the second that a replica gets. */
const NOT_REPLICATED = { code: 'WXO_UNAVAILABLE', message: expect.stringMatching(/no replica has confirmed|in time/) }
let dir = ''
let primary: LocalRedis
let replica: LocalRedis

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-durability-'))
  primary = await startLocalRedis({ dir: join(dir, 'a') })
  replica = await startLocalRedis({ dir: join(dir, 'b') })
  await askRedis(replica.port, `REPLICAOF 127.0.0.1 ${primary.port}`)
  await vi.waitFor(
    async () => expect(await askRedis(replica.port, 'INFO replication')).toContain('link_status:up'),
    WAIT,
  )
}, 60_000)
afterEach(() => void process.kill(replica.pid, 'SIGCONT'))
afterAll(async () => {
  await Promise.all([primary.stop(), replica.stop()])
  await rm(dir, { recursive: true, force: true })
})

function open(options: Partial<OutboxOptions> = {}): Outbox {
  const outbox = new Outbox({ redis: primary.url, appid: APP, durability: 'replicated', ...options })
  onTestFinished(() => outbox.close())
  return outbox
}
const message = (key: string) => ({
  touser: `o-${key}`,
  msgtype: 'text' as const,
  text: { content: key },
  idempotencyKey: key,
})
const standStill = (): void => void process.kill(replica.pid, 'SIGSTOP')
const onReplica = async (id: string): Promise<boolean> =>
  (await askRedis(replica.port, `EXISTS {wxo:${APP}}:send:${id}`)) === ':1'

it('resolves once a replica has the message', async () => {
  const { id } = await open().send(message('kept'))
  expect(await onReplica(id)).toBe(true)
})

it('rejects while no replica confirms; the message is stored, and a repeat finds it once one does', async () => {
  const outbox = open()
  await outbox.send(message('before'))
  standStill()
  await expect(outbox.send(message('late'))).rejects.toMatchObject(NOT_REPLICATED)
  // Neither on this connection nor on another, which has written nothing yet.
  await expect(outbox.send(message('late'))).rejects.toMatchObject(NOT_REPLICATED)
  await expect(open().send(message('late'))).rejects.toMatchObject(NOT_REPLICATED)
  process.kill(replica.pid, 'SIGCONT')
  const repeated = await vi.waitFor(() => outbox.send(message('late')), WAIT)
  expect(repeated).toMatchObject({ duplicate: true })
  expect(await onReplica(repeated.id)).toBe(true)
})

it('writes for a repeat, too: servers wait for what was written, and for nothing else', async () => {
  const outbox = open()
  await outbox.send(message('repeated'))
  await askRedis(primary.port, 'CONFIG RESETSTAT')
  await outbox.send(message('repeated'))
  expect(await askRedis(primary.port, 'INFO commandstats')).toContain('cmdstat_hset:calls=1,')
})

it('keeps no message waiting for another’s replica for longer than its own time', async () => {
  const outbox = open()
  await outbox.send(message('open'))
  standStill()
  await askRedis(primary.port, 'CONFIG RESETSTAT')
  const calls = Array.from({ length: 300 }, (_, n) => outbox.send(message(`many-${n}`)))
  const refused = await Promise.allSettled(calls)
  expect(refused.map(({ status }) => status)).toEqual(calls.map(() => 'rejected'))
  // Six batches, and not a second for each.
  await vi.waitFor(
    async () => expect(await askRedis(primary.port, 'INFO clients')).toContain('blocked_clients:0\r'),
    WAIT,
  )
  expect(await askRedis(primary.port, 'INFO commandstats')).toMatch(/cmdstat_wait:calls=[1-3],/)
  process.kill(replica.pid, 'SIGCONT')
  const repeats = await vi.waitFor(
    () => Promise.all(Array.from({ length: 300 }, (_, n) => outbox.send(message(`many-${n}`)))),
    WAIT,
  )
  expect(repeats.every(({ duplicate }) => duplicate)).toBe(true)
})

it('knows nothing of a replica where the connection has changed in between', async () => {
  const proxy = await startTcpProxy({ targetPort: primary.port })
  onTestFinished(() => proxy.close())
  const outbox = open({ redis: proxy.url('redis') })
  await outbox.send(message('connected'))
  standStill()
  const sent = outbox.send(message('cut-off')).catch((error: unknown) => error)
  await vi.waitFor(
    async () => expect(await askRedis(primary.port, 'INFO clients')).toContain('blocked_clients:1\r'),
    WAIT,
  )
  proxy.resetAll()
  expect(await sent).toMatchObject({ code: 'WXO_UNAVAILABLE' })
})

it('tells of a conflict all the same', async () => {
  const outbox = open()
  await outbox.send(message('taken'))
  standStill()
  await expect(outbox.send({ ...message('taken'), text: { content: 'other' } })).rejects.toMatchObject({
    code: 'WXO_CONFLICT',
  })
})

it('is not asked for by default: Redis has the message then', async () => {
  standStill()
  expect(await open({ durability: 'primary' }).send(message('primary-alone'))).toMatchObject({ status: 'queued' })
})

it('is one of two words', () => {
  expect(() => open({ durability: 'always' as never })).toThrow(/durability must be primary or replicated/)
})
