import { Queue } from 'bullmq'
import { describe, expect, it } from 'vitest'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'

describe('whenReady', () => {
  it('gives up after its time, and the connection goes on trying', async () => {
    const client = connectRedis('redis://127.0.0.1:1', 'produce')
    client.on('error', () => undefined)
    const before = client.listenerCount('error')
    await expect(whenReady(client, 50)).rejects.toMatchObject({ code: 'WXO_UNAVAILABLE' })
    expect(client.listenerCount('error')).toBe(before)
    expect(client.status).not.toBe('end')
    client.disconnect()
  })

  it('lets many wait for one connection without a word of warning', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    const client = connectRedis('redis://127.0.0.1:1', 'produce')
    client.on('error', () => undefined)
    const waits = Array.from({ length: 50 }, () => whenReady(client, 50))
    // It changes the limit of the client it is given.
    const queue = new Queue('q', { connection: client, skipVersionCheck: true })
    queue.on('error', () => undefined)
    await Promise.allSettled(waits)
    process.off('warning', note)
    client.disconnect()
    expect(warnings).toEqual([])
  })
})
