import { describe, expect, it } from 'vitest'
import { parseShard, partOf, selectApps } from '../src/select-apps.ts'

const apps = Array.from({ length: 400 }, (_, at) => ({ appid: `wx${at.toString(16).padStart(16, '0')}`, secret: 's' }))
const appids = (selected: readonly { appid: string }[]): string[] => selected.map(({ appid }) => appid)

describe('selectApps', () => {
  it.each([1, 2, 3, 7, 400])('puts every app into exactly one of %i parts', (of) => {
    const parts = Array.from({ length: of }, (_, at) => selectApps(apps, { WORKER_SHARD: { part: at + 1, of } }, []))
    expect(parts.flatMap(appids).toSorted()).toEqual(appids(apps).toSorted())
  })

  it('divides about evenly', () => {
    for (let part = 1; part <= 4; part += 1) {
      const { length } = selectApps(apps, { WORKER_SHARD: { part, of: 4 } }, [])
      expect(length).toBeGreaterThan(70)
      expect(length).toBeLessThan(130)
    }
  })

  it('comes to the same answer in every release', () => {
    expect(['wx0000000000000001', 'wx0123456789abcdef', 'wxfedcba9876543210'].map((appid) => partOf(appid, 4))).toEqual(
      [4, 3, 4],
    )
  })

  it('takes the apps that are named, and of those the part that is asked for', () => {
    const names = appids(apps).slice(10, 20)
    expect(appids(selectApps(apps, { WORKER_APPS: names }, []))).toEqual(names)
    const halves = [1, 2].map((part) => selectApps(apps, { WORKER_APPS: names, WORKER_SHARD: { part, of: 2 } }, []))
    expect(halves.flatMap(appids).toSorted()).toEqual(names)
  })

  it('names every app that is not configured', () => {
    const problems: string[] = []
    selectApps(apps, { WORKER_APPS: ['wxfedcba9876543210', 'wx0000000000000001'] }, problems)
    expect(problems).toEqual(['WORKER_APPS names wxfedcba9876543210, which is not configured'])
  })
})

describe('parseShard', () => {
  it.each(['1/1', '1/4', '4/4', '12/9999'])('reads %s', (text) => {
    const [part, of] = text.split('/').map(Number)
    expect(parseShard(text)).toEqual({ part, of })
  })

  it.each(['', '0/4', '5/4', '1', '1/', '/4', '-1/4', '1/0', '1/4 ', '1.0/4', 'a/b'])('refuses %j', (text) => {
    expect(parseShard(text)).toBeUndefined()
  })
})
