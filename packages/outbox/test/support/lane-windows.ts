/**
 * WeChat's side of reply windows in a test of the lane protocol: what it takes from whom, what the ledger is told of that, and where the
 * two have to agree. A call belongs to the window in which it began, for WeChat here as for the ledger.
 */
import assert from 'node:assert/strict'
import type { WindowAction } from '@wechat-outbox/messages'
import type { AppKeys } from '../../src/redis/keys.ts'
import { recordAction } from '../../src/windows/ledger.ts'
import type { ActCommand } from './lane-commands.ts'
import type { Ledger, Standing } from './lane-ledger.ts'
import type { World } from './world.ts'

/** Fewer than WeChat's five, so that windows are used up by short sequences. */
const RULES = { message: { limit: 2, ms: 172_800_000 }, enter: { limit: 1, ms: 60_000 } } as const

/** How many more messages WeChat takes. */
export interface WechatWindow {
  left: number
}

export class LaneWindows {
  readonly #world: World
  readonly #appid: string
  readonly #keys: AppKeys
  /** Per person, by when they began. */
  readonly #windows = new Map<string, { from: number; window: WechatWindow }[]>()
  readonly #reported = new Map<string, { action: WindowAction; at: number; id: string }>()
  /** People of whom the ledger was told something else than WeChat, until their next action. */
  readonly #surprising = new Set<string>()
  /** People to whom a call was interrupted: whether it is counted, nobody can know. */
  readonly #shaken = new Set<string>()
  #actions = 0

  constructor(world: World, appid: string, keys: AppKeys) {
    this.#world = world
    this.#appid = appid
    this.#keys = keys
  }

  /** The window to which a call belongs by its mark. Where another run has ended the message meanwhile there is none. */
  async ofCall({ id, person }: Ledger['messages'][number]): Promise<WechatWindow> {
    const calledAt = Number.parseInt((await this.#world.redis.hget(this.#keys.sendJob(id), 'sending')) ?? '', 10)
    return this.#at(person, calledAt || Infinity)
  }

  /** To a person who never acted WeChat takes everything. */
  #at(person: string, at: number): WechatWindow {
    const known = this.#windows.get(person)?.findLast(({ from }) => from <= at)
    return known?.window ?? { left: Infinity }
  }

  #set(person: string, from: number, left: number): void {
    const windows = this.#windows.get(person) ?? []
    windows.push({ from, window: { left } })
    this.#windows.set(person, windows)
  }

  interrupted(person: string): void {
    this.#shaken.add(person)
  }

  async act(person: string, { action, how }: Pick<ActCommand, 'action' | 'how'>): Promise<void> {
    const now = await this.#laterThanAll()
    if (how === 'unreported') {
      this.#set(person, now, RULES[action].limit)
      this.#surprising.add(person)
      return
    }
    const before = how === 'repeated' ? this.#reported.get(person) : undefined
    this.#actions += 1
    const reported = before ?? { action, at: now, id: `a-${this.#actions}` }
    const rule = RULES[reported.action]
    const noted = await recordAction(this.#world.store, this.#appid, { touser: person, ...reported, rule })
    this.#reported.set(person, reported)
    // A repeat is news where the record was dropped: then the ledger knows more than is true.
    if (before !== undefined && noted === 'noted') this.#surprising.add(person)
    if (before !== undefined) return
    assert.equal(noted, 'noted', `an action of ${person} is not noted`)
    if (how === 'early') return void this.#surprising.add(person)
    const { limit, used } = await this.#read(person)
    assert.equal(used, '0', `an action of ${person} begins no count anew`)
    this.#set(person, now, Number(limit))
    this.#surprising.delete(person)
  }

  /** `time`: the time of the window is over. Otherwise WeChat takes nothing any more, and only WeChat knows. */
  async close(person: string, by: 'time' | 'wechat'): Promise<void> {
    const now = await this.#laterThanAll()
    this.#set(person, now, 0)
    this.#reported.delete(person)
    const key = this.#keys.window(person)
    if (by === 'wechat') this.#surprising.add(person)
    else if (await this.#world.redis.exists(key)) await this.#world.redis.hset(key, 'until', now)
  }

  /** A message has its turn: one that may wait has it only where WeChat may take it, as far as is known. */
  async checkTurn({ id, person, onClosed }: Ledger['messages'][number]): Promise<void> {
    if (onClosed !== 'hold') return
    const [tried, window] = await Promise.all([
      this.#world.redis.hget(this.#keys.sendJob(id), 'parked'),
      this.#read(person),
    ])
    if (tried !== 'try') assert.ok(!window.takesNothing, `${id} is sent although it is known that nothing is taken`)
  }

  /** A message does not get its turn and waits for its user. */
  async checkWait({ id, person, onClosed }: Ledger['messages'][number]): Promise<void> {
    assert.equal(onClosed, 'hold', `${id} waits for its user, and was not to`)
    assert.ok((await this.#read(person)).takesNothing, `${id} waits for its user, and the window is open`)
  }

  checkDisagreement(person: string, disagreement: string | undefined): void {
    if (disagreement === undefined || this.#isUnsure(person)) return
    assert.fail(`${disagreement}, and nothing that ${person} did was unknown`)
  }

  /** What waits for its user is what nobody would take. */
  async checkAwaiting(firsts: ReadonlyMap<string, Standing>): Promise<void> {
    for (const [person, { parked, delayed }] of firsts) {
      if (parked !== 'user' || !delayed) continue
      const window = await this.#read(person)
      assert.ok(window.takesNothing !== false, `${person} has an open window, and what waits for it stays`)
      if (this.#isUnsure(person)) continue
      assert.equal(this.#at(person, Infinity).left, 0, `WeChat would take what waits for ${person}`)
    }
  }

  #isUnsure(person: string): boolean {
    return this.#surprising.has(person) || this.#shaken.has(person)
  }

  /** `takesNothing` is undefined where nothing is known. */
  async #read(person: string) {
    const [until, limit, used] = await this.#world.redis.hmget(this.#keys.window(person), 'until', 'limit', 'used')
    const isKnown = typeof until === 'string'
    const takesNothing = isKnown ? Number(until) <= (await this.#now()) || Number(used) >= Number(limit) : undefined
    return { limit, used, takesNothing }
  }

  async #now(): Promise<number> {
    const [seconds, micros] = await this.#world.redis.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }

  /** By Redis's clock a call and an action of the same millisecond have no order. */
  async #laterThanAll(): Promise<number> {
    const before = await this.#now()
    let now = before
    while (now <= before) now = await this.#now()
    return now
  }
}
