import type { AppConfig } from '@wechat-outbox/wechat'
import { expect, it } from 'vitest'
import { createAppSet } from '../src/app-set.ts'

const app = (at: number, more: Partial<AppConfig> = {}): AppConfig => ({
  appid: `wx000000000000000${at}`,
  secret: 's',
  ...more,
})
const ids = (...numbers: number[]): string[] => numbers.map((at) => app(at).appid)

/** Apps that do nothing but note what is asked of them, and end when they are told to. */
function world() {
  const log: string[] = []
  const endings: (() => void)[] = []
  const set = createAppSet(({ appid, concurrency = 0 }) => {
    const name = `${appid.at(-1)}/${concurrency}`
    return {
      run: () => Promise.resolve(void log.push(`run ${name}`)),
      trouble: () => undefined,
      close() {
        log.push(`close ${name}`)
        return new Promise((resolve) => endings.push(resolve))
      },
    }
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
