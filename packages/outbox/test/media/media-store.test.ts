// What a picture is known as, and that one process of many uploads it.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createMediaStore, type MediaStore } from '../../src/media/media-store.ts'
import { APP, createWorld, keys, WAIT_MS, type World } from '../support/world.ts'

const SHA = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg'
const HOUR_MS = 3_600_000

let world: World
let media: MediaStore
beforeAll(async () => {
  world = await createWorld()
  media = createMediaStore(world.store, APP)
})
beforeEach(() => world.redis.flushall())
afterAll(() => world.close())

const limits = { uploadMsMax: 10_000, waitMs: WAIT_MS }
/** An upload that takes a while, counted. */
function uploads() {
  let count = 0
  const upload = async () => {
    count += 1
    await sleep(50)
    return { kind: 'uploaded', mediaId: `M-${count}` } as const
  }
  return { upload, count: () => count }
}

it('is uploaded by one of many that have it at once, and by nobody later', async () => {
  const { upload, count } = uploads()
  const asked = Array.from({ length: 20 }, () => createMediaStore(world.store, APP).share(SHA, { ...limits, upload }))
  const results = await Promise.all(asked)
  for (const result of [...results, await media.share(SHA, { ...limits, upload })])
    expect(result).toMatchObject({ kind: 'stored', media: { mediaId: 'M-1' } })
  expect(count()).toBe(1)
  expect(await world.redis.exists(keys.mediaLock(SHA))).toBe(0)
})

it('keeps the id for 70 hours, by Redis’s clock', async () => {
  const before = world.store.clock.now()
  const result = await media.share(SHA, { ...limits, upload: uploads().upload })
  if (!('media' in result)) throw new Error(result.kind)
  expect(result.media.expiresAt - before).toBeGreaterThan(70 * HOUR_MS - 1)
  expect(result.media.expiresAt - before).toBeLessThan(70 * HOUR_MS + WAIT_MS)
  expect(await world.redis.pttl(keys.media(SHA))).toBeGreaterThan(70 * HOUR_MS - WAIT_MS)
})

it('lets another try when one has failed, and tells each what it met', async () => {
  const { upload } = uploads()
  const failing = async () => ({ kind: 'answered', errcode: 45_009 }) as const
  expect(await media.share(SHA, { ...limits, upload: failing })).toEqual({ kind: 'answered', errcode: 45_009 })
  await expect(media.share(SHA, { ...limits, upload: () => Promise.reject(new Error('a bug')) })).rejects.toThrow(
    'a bug',
  )
  expect(await media.share(SHA, { ...limits, upload })).toMatchObject({ kind: 'stored' })
})

it('waits no longer than it may for a process that has died over it, whose right ends by itself', async () => {
  const never = { upload: () => new Promise<never>(() => undefined), uploadMsMax: 500, waitMs: 0 }
  void media.share(SHA, never)
  const { upload, count } = uploads()
  expect(await media.share(SHA, { upload, uploadMsMax: 500, waitMs: 0 })).toEqual({ kind: 'busy' })
  expect(await media.share(SHA, { ...limits, upload })).toMatchObject({ kind: 'stored', media: { mediaId: 'M-1' } })
  expect(count()).toBe(1)
})

it('lasts some seconds beyond its process, and as long as the upload of one that lives', async () => {
  const done = Promise.withResolvers<void>()
  const upload = async () => {
    await done.promise
    return { kind: 'uploaded', mediaId: 'M-1' } as const
  }
  const shared = media.share(SHA, { upload, uploadMsMax: 15_000, waitMs: 0 })
  const left = () => world.redis.pttl(keys.mediaLock(SHA))
  await vi.waitFor(async () => expect(await left()).toBeGreaterThan(0), WAIT_MS)
  expect(await left()).toBeLessThanOrEqual(4000)
  for (let n = 0; n < 2; n += 1) {
    // It becomes less only with time, so it grows where it was renewed alone.
    let least = await left()
    await vi.waitFor(
      async () => {
        const now = await left()
        const before = least
        least = Math.min(least, now)
        expect(now).toBeGreaterThan(before)
      },
      { timeout: WAIT_MS, interval: 20 },
    )
  }
  done.resolve()
  expect(await shared).toMatchObject({ kind: 'stored' })
  expect(await left()).toBe(-2)
})

it('goes by the first of two ids where an upload outlasted its right', async () => {
  const late = Promise.withResolvers<void>()
  const upload = async () => {
    await late.promise
    return { kind: 'uploaded', mediaId: 'M-late' } as const
  }
  const slow = media.share(SHA, { upload, uploadMsMax: -999, waitMs: 0 })
  const quick = await media.share(SHA, { ...limits, upload: uploads().upload })
  late.resolve()
  expect(await slow).toMatchObject({ media: { mediaId: 'M-1' } })
  expect(quick).toMatchObject({ media: { mediaId: 'M-1' } })
})

it('forgets the id that WeChat does not know, and no other', async () => {
  const { upload } = uploads()
  await media.share(SHA, { ...limits, upload })
  await media.forget(SHA, 'M-0')
  expect(await media.share(SHA, { ...limits, upload })).toMatchObject({ media: { mediaId: 'M-1' } })
  await media.forget(SHA, 'M-1')
  expect(await media.share(SHA, { ...limits, upload })).toMatchObject({ media: { mediaId: 'M-2' } })
})
