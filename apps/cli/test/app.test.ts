import { readHold } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { suspend } from './letters.ts'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
beforeAll(async () => {
  world = await startWorld()
  await world.store.redis.sadd('wxo:apps', APP)
})
afterAll(() => world.close())

interface Items {
  readonly items: readonly { appid: string; changed?: boolean; hold?: { operator?: { why: string } } | null }[]
}

describe('an app', () => {
  it('is paused with a reason and resumed, for people and for programs, and twice is no error', async () => {
    expect(await world.cli(['app', 'pause', APP, '--why', 'migration'])).toMatchObject({
      code: 0,
      stdout: `${APP} paused\n`,
    })
    expect((await world.cli(['app', 'pause', APP, '--why', 'migration'])).stdout).toContain(
      'was paused by an operator before',
    )
    expect(await readHold(world.store, APP)).toMatchObject({ operator: { why: 'migration' } })
    expect((await world.cli(['app', 'ls'])).stdout).toMatch(
      /held\n {2}paused by an operator, \S+@\S+, since .*Z: migration\n/,
    )
    expect((await world.cli(['status'])).stdout).toContain('paused by an operator')
    const listed = documentOf<Items>(await world.cli(['app', 'ls', '--json']))
    expect(listed.items).toMatchObject([{ appid: APP, hold: { operator: { why: 'migration' } } }])
    expect(documentOf<Items>(await world.cli(['app', 'resume', APP, '--json'])).items).toEqual([
      { appid: APP, changed: true },
    ])
    expect(await readHold(world.store, APP)).toBeNull()
    expect(await world.cli(['app', 'resume'])).toMatchObject({ code: 0, stdout: `${APP} was not held\n` })
    expect((await world.cli(['app', 'ls'])).stdout).toBe(`${APP}  open\n`)
  })

  it('that is suspended shows since when, why and when it is probed next, and a resume opens it', async () => {
    await suspend(world.store)
    const { stdout } = await world.cli(['status'])
    expect(stdout).toMatch(
      /suspended since \S+ \S+Z, next probe in \d+s \(.*Z\): 40164 ip-not-allowed: no \\u001b\[31m \(No\.\)/,
    )
    const { items } = documentOf<Items>(await world.cli(['status', '--json']))
    expect(items[0]?.hold).toMatchObject({ fault: { kind: 'suspended', reason: { errcode: 40164 }, probing: false } })
    expect((await world.cli(['app', 'resume', APP])).stdout).toBe(`${APP} resumed\n`)
    expect((await world.cli(['app', 'ls', '--json'])).stdout).toContain('"hold": null')
  })

  it('has to be named as one', async () => {
    expect(await world.cli(['app', 'pause', 'nonsense'])).toMatchObject({ code: 2 })
    expect(await world.cli(['app', 'pause', APP, '--why', 'x'.repeat(201)])).toMatchObject({ code: 2 })
    expect(await world.cli(['app', 'stop'])).toMatchObject({ code: 2 })
  })
})
