// What the ledger of reply windows knows after what people did, in whatever order and however often it is reported.
import { describe, expect, it } from 'vitest'
import { OutboxError } from '../../src/errors.ts'
import { readWindow, readWindowStates, recordAction } from '../../src/windows/ledger.ts'
import { APP, keys, sharedWorld, text } from '../support/world.ts'

const HOUR_MS = 3_600_000
const RULES = { message: { limit: 5, ms: 48 * HOUR_MS }, enter: { limit: 2, ms: 60_000 } }
const PERSON = 'o-window'
const NOBODY = { waiting: 0, waitingForUser: 0 }

const world = sharedWorld({ isFlushed: true })

const act = (action: 'message' | 'enter', more: { at?: number; id?: string } = {}) =>
  recordAction(world.store, APP, { touser: PERSON, action, ...more, rule: RULES[action] })
const known = () => readWindow(world.store, APP, PERSON)
const now = (): number => Math.floor(world.store.clock.now())
const use = (count: number) => world.redis.hset(keys.window(PERSON), 'used', count)

describe('an action', () => {
  it('opens the window for what it allows', async () => {
    expect(await known()).toEqual({ state: 'unknown', remaining: null, closesAt: null, lastAction: null, ...NOBODY })
    const at = now() - 1000
    expect(await act('message', { at, id: '1' })).toBe('noted')
    expect(await known()).toEqual({
      state: 'open',
      remaining: 5,
      closesAt: new Date(at + 48 * HOUR_MS).toISOString(),
      lastAction: { action: 'message', at: new Date(at).toISOString() },
      ...NOBODY,
    })
  })

  it('begins the count anew, and makes no open window smaller or shorter', async () => {
    const at = now() - 5000
    await act('message', { at, id: '1' })
    await use(5)
    expect((await known()).state).toBe('used-up')
    expect(await act('enter', { at: at + 1000 })).toBe('noted')
    expect(await known()).toMatchObject({ state: 'open', remaining: 5, lastAction: { action: 'enter' } })
    expect((await known()).closesAt).toBe(new Date(at + 48 * HOUR_MS).toISOString())
  })

  it.each([
    ['the same again', { offset: 0, id: '1' }],
    ['an older one that was late', { offset: -500, id: '0' }],
  ])('that is %s begins no count anew', async (_what, { offset, id }) => {
    const at = now() - 5000
    await act('message', { at, id: '1' })
    await use(3)
    expect(await act('message', { at: at + offset, id })).toBe('known')
    expect((await known()).remaining).toBe(2)
  })

  it('of the same moment with another id is another', async () => {
    const at = now() - 5000
    await act('message', { at, id: '1' })
    await use(3)
    expect(await act('message', { at, id: '2' })).toBe('noted')
    expect((await known()).remaining).toBe(5)
  })

  it('of the same moment as another is recognised when it comes again, whichever of the two was the last', async () => {
    const at = now() - 5000
    const actions = [
      { action: 'message', id: '1' },
      { action: 'message', id: '2' },
      { action: 'enter', id: '2' },
    ] as const
    for (const { action, id } of actions) expect(await act(action, { at, id })).toBe('noted')
    await use(3)
    for (const { action, id } of actions) expect(await act(action, { at, id })).toBe('known')
    expect((await known()).remaining).toBe(2)
  })

  it('that an older version has noted is recognised when it comes again', async () => {
    const at = now() - 5000
    await act('message', { at, id: '1' })
    await world.redis.hset(keys.window(PERSON), 'id', '1', 'used', 3)
    expect(await act('message', { at, id: '1' })).toBe('known')
    expect(await act('message', { at, id: '2' })).toBe('noted')
    await use(3)
    expect(await act('message', { at, id: '1' })).toBe('known')
    expect((await known()).remaining).toBe(2)
  })

  it('that is reported by a clock ahead of ours is recognised when it comes again', async () => {
    const at = now() + HOUR_MS
    expect(await act('message', { at, id: '1' })).toBe('noted')
    await use(3)
    const later = now()
    await expect.poll(now).toBeGreaterThan(later)
    expect(await act('message', { at, id: '1' })).toBe('known')
    expect((await known()).remaining).toBe(2)
    expect(await act('message', { at, id: '2' })).toBe('noted')
    expect((await known()).remaining).toBe(5)
  })

  it('takes no more room, however many are reported for one moment', async () => {
    const at = now() + HOUR_MS
    const id = '€'.repeat(200)
    for (let n = 0; n < 100; n += 1) await act('message', { at: at + n, id })
    expect((await world.redis.hgetall(keys.window(PERSON)))['id']?.length).toBeLessThan(20 * 240)
  })

  it('that comes late makes the window of a later one as large as it was', async () => {
    const at = now() - 5000
    await act('enter', { at })
    await use(2)
    expect((await known()).state).toBe('used-up')
    expect(await act('message', { at: at - 1000, id: '1' })).toBe('known')
    expect(await known()).toMatchObject({ state: 'open', remaining: 3, lastAction: { action: 'enter' } })
  })

  it('that is over changes nothing', async () => {
    expect(await act('enter', { at: now() - 61_000 })).toBe('over')
    expect((await known()).state).toBe('unknown')
    expect(await world.redis.exists(keys.windows)).toBe(0)
  })

  it('in the future is now', async () => {
    await act('enter', { at: now() + 10 * HOUR_MS })
    expect(Date.parse((await known()).closesAt ?? '')).toBeLessThanOrEqual(now() + 60_000)
  })

  it('is known to be over for an hour, and is then forgotten', async () => {
    await act('enter')
    const [left, mark] = await Promise.all([world.redis.pttl(keys.window(PERSON)), world.redis.pttl(keys.windows)])
    expect(left).toBeGreaterThan(HOUR_MS)
    expect(left).toBeLessThanOrEqual(HOUR_MS + 60_000)
    // Scripts look for windows as long as there is one.
    expect(mark).toBeGreaterThanOrEqual(left)
    await world.redis.hset(keys.window(PERSON), 'until', now() - 1)
    expect(await known()).toMatchObject({ state: 'closed', remaining: 0 })
    expect(await readWindowStates(world.store, APP, [PERSON, 'o-other'])).toEqual(['closed', 'unknown'])
  })
})

describe('an Outbox', () => {
  it('records actions and tells of windows', async () => {
    const outbox = world.outbox({ windows: { enter: '1/1m', message: { limit: 3, ms: HOUR_MS } } })
    await outbox.send(text(PERSON))
    await outbox.userActed({ touser: PERSON, action: 'enter' })
    expect(await outbox.window(PERSON)).toMatchObject({ state: 'open', remaining: 1, waiting: 1 })
    await outbox.userActed({ touser: PERSON, action: 'message', at: new Date().toISOString(), id: '7' })
    expect(await outbox.window(PERSON, APP)).toMatchObject({ remaining: 3, lastAction: { action: 'message' } })
  })

  it.each([
    [{ touser: 'o 1', action: 'message' }, ['touser']],
    [{ touser: PERSON, action: 'wave', at: 'today', id: '' }, ['action', 'at', 'id']],
    [{ touser: PERSON, action: 'enter', appid: 'x', more: 1 }, ['appid', 'more']],
    [undefined, ['']],
  ])('names what is wrong with an action: %j', async (action, paths) => {
    const refused: unknown = await world
      .outbox()
      .userActed(action as never)
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(OutboxError)
    expect((refused as OutboxError).issues.map(({ path }) => path)).toEqual(paths)
  })

  it('refuses what would be sent in vain, where it is asked to, and nothing else', async () => {
    const outbox = world.outbox()
    const refusing = { ...text(PERSON), onClosed: 'refuse' as const, idempotencyKey: 'k' }
    const first = await outbox.send(refusing)
    await act('message')
    await use(5)
    await expect(outbox.send({ ...refusing, idempotencyKey: 'other' })).rejects.toMatchObject({
      code: 'WXO_WINDOW_CLOSED',
    })
    // A repeat is the message that was accepted.
    expect(await outbox.send(refusing)).toMatchObject({ id: first.id, duplicate: true })
    await outbox.send(text(PERSON))
    await outbox.send({ ...text(PERSON), onClosed: 'hold' })
    expect(await world.redis.llen(keys.lane(PERSON))).toBe(3)
    await act('message')
    await outbox.send({ ...refusing, idempotencyKey: 'other' })
  })
})
