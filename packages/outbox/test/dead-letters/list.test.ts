import { deadLetterIdOf } from '@wechat-outbox/messages'
import { describe, expect, it, vi } from 'vitest'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { expireDeadLetters, listDeadLetters, requestReplay } from '../../src/dead-letters/list.ts'
import { buried } from '../support/dead.ts'
import { APP, dies, keys, ownWorld, text } from '../support/world.ts'

const world = ownWorld()

describe('an operator', () => {
  it('lists by reason, person and time, in pages, whatever state the jobs are in', async () => {
    const outbox = world.outbox()
    await world.consumer((run) =>
      Promise.resolve(dies(run.acceptedAt % 2 === 0 ? {} : { errcode: 40003, name: 'invalid-openid' })),
    )
    const sent = await outbox.sendMany(Array.from({ length: 230 }, (_, n) => text(`o-${n % 3}`)))
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadByTime)).toBe(sent.length), 10_000)
    const all: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await listDeadLetters(world.store, APP, { limit: 7, ...(cursor === undefined ? {} : { cursor }) })
      all.push(...page.items.map((item) => item.id))
      if (page.next === null) break
      cursor = page.next
    }
    expect(all).toHaveLength(230)
    expect(new Set(all).size).toBe(230)
    const times = (await listDeadLetters(world.store, APP, { limit: 230 })).items.map((item) => item.deadAt)
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    const person = await listDeadLetters(world.store, APP, { touser: ['o-1'], limit: 1000 })
    expect(person.items).toHaveLength(77)
    const [some] = person.items
    const code = some?.reason.errcode ?? 0
    const narrow = await listDeadLetters(world.store, APP, { touser: ['o-1'], errcode: [String(code)], limit: 1000 })
    expect(
      narrow.items.every(
        (item) => item.reason.errcode === code && 'touser' in item.message && item.message.touser === 'o-1',
      ),
    ).toBe(true)
    expect(narrow.items.length).toBeGreaterThan(0)
    const before = Math.min(...times)
    expect((await listDeadLetters(world.store, APP, { until: before - 1 })).items).toEqual([])
    await expect(listDeadLetters(world.store, APP, { cursor: 'nonsense' })).rejects.toMatchObject({
      code: 'WXO_INVALID',
    })
  })

  it('goes on from where a page ended, over entries that were cleaned by hand and filters that meet little', async () => {
    const ids = (await buried(world, 60)).map(deadLetterIdOf)
    for (const id of ids.filter((_, n) => n % 4 === 0)) await world.redis.del(keys.deadJob(id))
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await listDeadLetters(world.store, APP, { limit: 5, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.items.map((item) => item.id))
      if (page.next === null) break
      cursor = page.next
    }
    expect(seen.toSorted()).toEqual(ids.filter((_, n) => n % 4 !== 0).toSorted())
    expect(await world.redis.zcard(keys.deadByTime)).toBe(45)
    expect(await listDeadLetters(world.store, APP, { touser: ['o-1'], errcode: ['1'] })).toEqual({
      items: [],
      next: null,
    })
  })

  it('lists by the name of a reason, whatever errcode stands beside it', async () => {
    const outbox = world.outbox()
    const kinds = [{ errcode: null, name: 'expired' }, { errcode: -1, name: 'expired' }, {}]
    let died = 0
    await world.consumer(() => Promise.resolve(dies(kinds[died++ % 3])))
    await outbox.sendMany(Array.from({ length: 30 }, (_, n) => text(`o-${n}`)))
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadByTime)).toBe(30), 10_000)
    const first = await listDeadLetters(world.store, APP, { errcode: ['expired'], limit: 15 })
    const rest = await listDeadLetters(world.store, APP, { errcode: ['expired'], limit: 15, cursor: first.next ?? '' })
    const found = [...first.items, ...rest.items]
    expect(new Set(found.map(({ id }) => id)).size).toBe(20)
    expect(new Set(found.map(({ reason }) => reason.name))).toEqual(new Set(['expired']))
    expect(rest.next).toBeNull()
  })

  it('still sees a dead letter that waits to be replayed, and cannot discard it then', async () => {
    const [id = ''] = await buried(world, 1)
    const deadId = deadLetterIdOf(id)
    await requestReplay(world.store, APP, deadId)
    expect((await listDeadLetters(world.store, APP, {})).items.map((item) => item.id)).toEqual([deadId])
    expect(await discardDeadLetter(world.store, { appid: APP, id: deadId }, 1000)).toBe('being-replayed')
  })

  it('is told where a replay stands before a worker has carried it out', async () => {
    const [id = ''] = await buried(world, 1)
    const replayOf = deadLetterIdOf(id)
    const outbox = world.outbox()
    expect(await outbox.status(`${id}-1`)).toBeNull()
    const asked = await requestReplay(world.store, APP, replayOf)
    expect(asked).toEqual({ kind: 'requested', id: `${id}-1`, replayOf })
    expect(await outbox.status(`${id}-1`)).toMatchObject({ id: `${id}-1`, status: 'queued', replayOf, attempts: [] })
    expect(await outbox.status(`${id}-1`)).not.toHaveProperty('deadLetter')
    expect(await outbox.cancel(`${id}-1`)).toBe('too-late')
    expect(await outbox.status(`${id}-2`)).toBeNull()
  })

  it('discards for good, and old ones go by themselves', async () => {
    const [first = '', second = ''] = await buried(world, 2)
    expect(await discardDeadLetter(world.store, { appid: APP, id: deadLetterIdOf(first) }, 60_000)).toBe('discarded')
    expect(await discardDeadLetter(world.store, { appid: APP, id: deadLetterIdOf(first) }, 60_000)).toBe('unknown')
    expect(await world.outbox().status(first)).toMatchObject({ status: 'discarded' })
    expect(await expireDeadLetters(world.store, { appid: APP, before: 1 })).toBe(0)
    expect(await expireDeadLetters(world.store, { appid: APP, before: Date.now() })).toBe(1)
    expect(await world.outbox().status(second)).toBeNull()
    expect(await world.redis.keys('*:dead:*')).toEqual([])
  })
})
