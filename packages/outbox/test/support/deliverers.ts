/** Deliverers of callbacks by hand: events are added as the scripts add them, and calls are answered as a test says. */
import { CALLBACK_TYPES } from '@wechat-outbox/messages'
import {
  type Called,
  createDeliverer,
  type Deliverer,
  type Pauses,
  type ToldEvent,
} from '../../src/callbacks/deliverer.ts'
import { type Callbacks, readCallbacks } from '../../src/callbacks/operate.ts'
import type { TakenEvent } from '../../src/callbacks/turn.ts'
import { APP, keys, type World } from './world.ts'

export const TAKEN: Called = { kind: 'taken' }
export const FAILED: Called = { kind: 'failed', why: 'status 500' }
export const GONE: Called = { kind: 'failed', why: 'status 410', isGone: true }

export interface Watched {
  readonly deliverer: Deliverer
  readonly calls: TakenEvent[]
  readonly told: ToldEvent[]
  readonly became: string[]
  readonly lost: { dropped: number; tooOld: number }[]
  readonly problems: string[]
}

/** `at`: the world of the test, once there is one. */
export function deliverersIn(at: () => World) {
  const open: Deliverer[] = []

  /** Adds events as the scripts do. */
  async function add(...names: string[]): Promise<void> {
    for (const name of names) {
      const id = `c-${name}-dead`
      const data = JSON.stringify({ id: name, appid: APP })
      await at().redis.hset(keys.callbackJob(id), {
        name: 'message.dead',
        data,
        timestamp: Date.now(),
      })
      await at().redis.lpush(keys.callbackWait, id)
    }
    await at().redis.zadd(keys.callbackMarker, 0, '0')
  }

  function deliver(
    answer: (event: TakenEvent, signal: AbortSignal) => Called | Promise<Called>,
    { print = 'p', ...pauses }: Partial<Pauses> & { print?: string } = {},
  ): Watched {
    const watched = { calls: [] as TakenEvent[], told: [] as ToldEvent[], became: [] as string[] }
    const more = { lost: [] as { dropped: number; tooOld: number }[], problems: [] as string[] }
    const deliverer = createDeliverer({
      appid: APP,
      store: at().store,
      sharedWait: at().sharedWait,
      receiver: {
        tells: new Set(CALLBACK_TYPES),
        print,
        async call(event, signal) {
          watched.calls.push(event)
          return answer(event, signal)
        },
        report: {
          told: (one) => watched.told.push(one),
          receiver: ({ became }) => watched.became.push(became),
          lost: (lost) => more.lost.push(lost),
        },
      },
      onProblem: ({ error }) => more.problems.push(error),
      retain: { deliveredMs: 3_600_000, deliveredMax: 100, deadMs: 3_600_000 },
      callbackPauses: pauses,
    })
    deliverer.run()
    open.push(deliverer)
    return { deliverer, ...watched, ...more }
  }

  /** Scripts that Redis has run. */
  async function turns(): Promise<number> {
    const stats = await at().redis.info('commandstats')
    const [, calls = '0'] = /cmdstat_evalsha:calls=(\d+)/.exec(stats) ?? []
    return Number(calls)
  }

  return {
    add,
    deliver,
    turns,
    callbacks: (): Promise<Callbacks> => readCallbacks(at().store, APP),
    close: async (): Promise<void> => {
      await Promise.all(open.splice(0).map((deliverer) => deliverer.close(AbortSignal.timeout(0))))
    },
  }
}
