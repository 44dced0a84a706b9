/** What is known of every message in a test of the lane protocol, and the judgements of Redis and WeChat against it. */
import assert from 'node:assert/strict'
import { deadLetterIdOf } from '@wechat-outbox/messages'
import type { RedisClient } from '../../src/redis/connection.ts'
import type { AppKeys } from '../../src/redis/keys.ts'

export interface Message {
  readonly id: string
  readonly person: string
  readonly sendAt?: number
  readonly onClosed: 'hold' | undefined
  readonly collapseKey: string | undefined
}

export type Ledger = ReturnType<typeof newLedger>

export function newLedger() {
  return {
    messages: [] as Message[],
    /** Per person the ids in the order in which they joined the lane. */
    order: new Map<string, string[]>(),
    /** What WeChat took, in order. */
    taken: [] as string[],
    settled: new Set<string>(),
    cancelled: new Set<string>(),
    /** Messages whose place a newer one with the same collapse key has taken. */
    superseded: new Set<string>(),
    /** Messages of which a run was interrupted after its call and before its settlement. */
    cut: new Set<string>(),
    /** Messages of which a run was interrupted while its mark stood, whatever it had done. */
    interrupted: new Set<string>(),
    /** Messages of which a later run was told so. */
    told: new Set<string>(),
    /** Messages whose retry is not due yet. */
    backingOff: new Set<string>(),
  }
}

export function join(ledger: Ledger, person: string, id: string): void {
  const order = ledger.order.get(person) ?? []
  ledger.order.set(person, order)
  if (!order.includes(id)) order.push(id)
}

/** A newer message has taken the place of an older one, if that stood in the lane and the newer one is not for later. */
export function supersede(ledger: Ledger, older: string, { id, person, sendAt }: Message): void {
  assert.ok(!ledger.taken.includes(older), `${older} is superseded, and WeChat has it`)
  assert.ok(!ledger.interrupted.has(older), `${older} is superseded, and WeChat may have it`)
  ledger.superseded.add(older)
  const order = ledger.order.get(person) ?? []
  if (sendAt === undefined && order.includes(older)) order.splice(order.indexOf(older), 0, id)
}

export function messageOf(ledger: Ledger, id: string): Message {
  return ledger.messages.find((message) => message.id === id) ?? assert.fail(`${id} was never accepted`)
}

/** A message as it stands in Redis. */
export interface Standing {
  readonly exists: boolean
  /** There, and not settled. */
  readonly alive: boolean
  /** The mark of the same name: '1', 'user' … */
  readonly parked: string | null
  readonly delayed: boolean
  readonly dead: boolean
}

export async function readStandings(redis: RedisClient, keys: AppKeys, ledger: Ledger): Promise<Map<string, Standing>> {
  const pipeline = redis.pipeline()
  for (const { id } of ledger.messages) {
    pipeline.hmget(keys.sendJob(id), 'name', 'settled', 'parked')
    pipeline.zscore(keys.sendDelayed, id)
    pipeline.exists(keys.deadJob(deadLetterIdOf(id)))
  }
  const answers = ((await pipeline.exec()) ?? []).map(([error, answer]) => {
    if (error) throw error
    return answer
  })
  return new Map(
    ledger.messages.map(({ id }, at) => {
      const [name = null, settled = null, parked = null] = answers[at * 3] as (string | null)[]
      const exists = name !== null
      const delayed = answers[at * 3 + 1] !== null
      const dead = answers[at * 3 + 2] === 1
      return [id, { exists, alive: exists && settled === null, parked, delayed, dead }] as const
    }),
  )
}

/** WeChat is about to take a message: is it its turn, and if it is for the second time, could nobody know? */
export function checkTurn(
  id: string,
  ledger: Ledger,
  at: { standings: Map<string, Standing>; ifUnsure: 'send' | 'dead' },
): void {
  const { taken, cut, told } = ledger
  if (taken.includes(id)) {
    assert.ok(cut.has(id) && told.has(id), `${id} is sent twice, and no run of it was interrupted`)
    assert.equal(at.ifUnsure, 'send', `${id} is sent twice, and was not to be`)
    return
  }
  const order = ledger.order.get(messageOf(ledger, id).person) ?? []
  const place = order.indexOf(id)
  for (const other of order.slice(0, place)) {
    const isOver = taken.includes(other) || at.standings.get(other)?.alive === false
    assert.ok(isOver, `${id} overtakes ${other}`)
  }
  for (const other of order.slice(place + 1)) assert.ok(!taken.includes(other), `${other} overtook ${id}`)
}

/** What holds after every step. Returns the first of each person's lane. */
export async function checkLanes(
  redis: RedisClient,
  keys: AppKeys,
  ledger: Ledger,
): Promise<ReadonlyMap<string, Standing>> {
  const firsts = new Map<string, Standing>()
  const standings = await readStandings(redis, keys, ledger)
  const alive = (ids: string[]): string[] => ids.filter((id) => standings.get(id)?.alive)
  for (const [person, order] of ledger.order) {
    const lane = await redis.lrange(keys.lane(person), '0', '-1')
    assert.deepEqual(alive(lane), alive(order), `the lane of ${person} is not what was accepted`)
    const [first = ''] = alive(lane)
    const standing = standings.get(first)
    if (standing === undefined) continue
    assert.ok(!standing.delayed || standing.parked !== '1', `${first} is first and parked, and nobody wakes it`)
    firsts.set(person, standing)
  }
  for (const { id } of ledger.messages) {
    const isOver = ledger.cancelled.has(id) || standings.get(id)?.dead
    assert.ok(isOver || standings.get(id)?.exists || ledger.taken.includes(id), `${id} is lost`)
  }
  return firsts
}

/** What holds when there is nothing left to do: every message has one end, and nothing is left of it in the queue. */
export async function checkEnds(redis: RedisClient, keys: AppKeys, ledger: Ledger): Promise<void> {
  const standings = await readStandings(redis, keys, ledger)
  for (const { id } of ledger.messages) {
    const taken = ledger.taken.includes(id)
    const settled = ledger.settled.has(id)
    const { alive = false, dead = false } = standings.get(id) ?? {}
    const ends = [settled, dead, ledger.cancelled.has(id), ledger.superseded.has(id)]
    assert.equal(ends.filter(Boolean).length, 1, `${id} has no end, or two`)
    assert.ok(!alive, `the job of ${id} is left over`)
    assert.ok(!taken || settled || ledger.cut.has(id), `${id} was taken and does not count as delivered`)
  }
  for (const list of [keys.sendWait, keys.sendActive, keys.sendDelayed, keys.sendFailed, keys.sendAwaitingUser]) {
    assert.equal(await redis.exists(list), 0, `something is left in ${list}`)
  }
  for (const person of ledger.order.keys()) {
    assert.equal(await redis.exists(keys.lane(person)), 0, `something is left in the lane of ${person}`)
  }
}
