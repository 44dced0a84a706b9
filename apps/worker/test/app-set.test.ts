import type { AppConfig } from '@wechat-outbox/wechat'
import { describe, expect, it, vi } from 'vitest'
import { createAppSet } from '../src/app-set.ts'
import { startAgain } from '../src/start-again.ts'

const app = (at: number, more: Partial<AppConfig> = {}): AppConfig => ({
  appid: `wx000000000000000${at}`,
  secret: 's',
  ...more,
})
const ids = (...numbers: number[]): string[] => numbers.map((at) => app(at).appid)

/** Apps that do nothing but note what is asked of them, and end when they are told to. `starts`: what their starts come to. */
function world(starts?: (appid: string) => Promise<void>) {
  const log: string[] = []
  const endings: (() => void)[] = []
  const set = createAppSet(({ appid, concurrency = 0 }) => {
    const name = `${appid.at(-1)}/${concurrency}`
    const served = {
      async run() {
        log.push(`run ${name}`)
        await starts?.(appid)
      },
      trouble: () => undefined,
      close() {
        log.push(`close ${name}`)
        return new Promise<void>((resolve) => endings.push(resolve))
      },
    }
    const onFailed = (error: unknown) => void log.push(`failed ${name}: ${String(error)}`)
    return startAgain(() => served, { onFailed, againAfterMs: 1 })
  })
  return { log, set, end: () => endings.splice(0).forEach((resolve) => resolve()) }
}

it('starts what is new, ends what has gone, replaces what has changed and leaves the rest alone', async () => {
  const { log, set } = world()
  expect(await set.become([app(1), app(2), app(3)])).toEqual({ added: ids(1, 2, 3), changed: [], removed: [] })
  log.length = 0
  expect(await set.become([app(4), app(3, { concurrency: 9 }), app(1)])).toEqual({
    added: ids(4),
    changed: ids(3),
    removed: ids(2),
  })
  // Nothing has ended yet, and what is new runs all the same.
  expect(log).toEqual(['close 2/0', 'close 3/0', 'run 4/0', 'run 3/9'])
})

it('takes one change after the other, the last one holds', async () => {
  const { set, log } = world()
  await Promise.all([set.become([app(1)]), set.become([app(2)]), set.become([app(1), app(2)]), set.become([app(3)])])
  expect(log.slice(-1)).toEqual(['run 3/0'])
  expect(await set.become([app(3)])).toEqual({ added: [], changed: [], removed: [] })
})

it('ends those that are still leaving with the others, and takes nothing more', async () => {
  const { log, set, end } = world()
  await set.become([app(1), app(2)])
  await set.become([app(2)])
  let closed = false
  const closing = set.close().then(() => (closed = true))
  expect(await set.become([app(5)])).toEqual({ added: [], changed: [], removed: [] })
  expect(log.slice(-2)).toEqual(['close 1/0', 'close 2/0'])
  expect(closed).toBe(false)
  end()
  await closing
})

describe('an app that cannot be started', () => {
  it('is closed, and started anew until it runs; the others are not touched', async () => {
    let faults = 2
    const { log, set } = world((appid) => {
      if (appid !== app(2).appid || faults === 0) return Promise.resolve()
      faults -= 1
      return Promise.reject(new Error('BUSY'))
    })
    expect(await set.become([app(1), app(2)])).toEqual({ added: ids(1, 2), changed: [], removed: [] })
    const failed = ['failed 2/0: Error: BUSY', 'close 2/0', 'run 2/0']
    expect(log).toEqual(['run 1/0', 'run 2/0', ...failed, ...failed])
    expect(set.appids()).toEqual(ids(1, 2))
  })

  it('is started no more once it has left, or another takes its place', async () => {
    const failed = Promise.withResolvers<void>()
    const { log, set } = world((appid) => {
      if (appid !== app(1).appid || log.includes('run 1/7')) return Promise.resolve()
      failed.resolve()
      return Promise.reject(new Error('BUSY'))
    })
    const first = set.become([app(1)])
    await failed.promise
    await set.become([app(1, { concurrency: 7 })])
    await first
    expect(log.slice(-1)).toEqual(['run 1/7'])
    // Each that has begun has ended, but for the last.
    const count = (what: string): number => log.filter((line) => line === what).length
    expect(count('close 1/0')).toBe(count('run 1/0'))
  })

  it('does not keep the others from ending', async () => {
    const { log, set, end } = world(() => Promise.reject(new Error('BUSY')))
    const started = set.become([app(1)])
    await vi.waitFor(() => expect(log).toContain('close 1/0'))
    const closing = set.close()
    end()
    await Promise.all([started, closing])
    expect(set.appids()).toEqual([])
  })
})
