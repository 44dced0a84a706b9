// What a worker says to Redis in one turn of the event loop leaves as one piece: seen from a connection's other end.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalRedis, startLocalRedis } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ConnectionUse, connectRedis, type RedisClient } from '../../src/redis/connection.ts'

const COMMANDS = 50
let dir: string
let redis: LocalRedis
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-batch-'))
  redis = await startLocalRedis({ dir })
})
afterAll(async () => {
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Between a client and Redis: counts the pieces that arrive from the client. */
async function listenBetween(use: ConnectionUse) {
  const sockets: Socket[] = []
  let pieces = 0
  const server = createServer((socket) => {
    const far = connect(redis.port, '127.0.0.1')
    sockets.push(socket, far)
    for (const one of [socket, far]) one.on('error', () => undefined)
    socket.on('data', () => (pieces += 1))
    socket.pipe(far).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, use)
  client.on('error', () => undefined)
  await client.ping()
  return {
    client,
    async piecesOf(work: (on: RedisClient) => Promise<unknown>) {
      pieces = 0
      await work(client)
      return pieces
    },
    cut: () => sockets.forEach((socket) => socket.destroy()),
    async close() {
      client.disconnect()
      server.close()
      await once(server, 'close')
    },
  }
}

const count = (on: RedisClient): Promise<number[]> =>
  Promise.all(Array.from({ length: COMMANDS }, () => on.incr('batch:counted')))

it('sends the commands of one turn together, and answers them in order', async () => {
  const between = await listenBetween('work')
  let answers: number[] = []
  const pieces = await between.piecesOf(async (on) => (answers = await count(on)))
  const first = answers[0] ?? 0
  expect(answers).toEqual(Array.from({ length: COMMANDS }, (_, at) => first + at))
  expect(pieces).toBe(1)
  await between.close()
})

it('does so on the next connection too', async () => {
  const between = await listenBetween('work')
  between.cut()
  await between.client.ping()
  expect(await between.piecesOf(count)).toBe(1)
  await between.close()
})

it('lets go of what was said last before the connection is ended', async () => {
  const between = await listenBetween('work')
  const said = between.client.set('batch:last', 'word')
  await Promise.all([said, between.client.quit()])
  await between.close()
  const other = connectRedis(redis.url, 'operate')
  expect(await other.get('batch:last')).toBe('word')
  other.disconnect()
})
