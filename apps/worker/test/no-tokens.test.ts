import { createLogger } from '@wechat-outbox/runtime'
import { expect, it } from 'vitest'
import { createNoTokens } from '../src/no-tokens.ts'

const lines: string[] = []
const log = createLogger({ level: 'trace', name: 'test', destination: { write: (line) => void lines.push(line) } })
const none = { parameter: '', value: '', version: 1 }
const refused = (inARow: number) => ({ startedAt: 0, inARow })

it('an app without tokens is always ready, until WeChat asks for one three times in a row', async () => {
  const tokens = createNoTokens({ appid: 'wx0123456789abcdef', log })
  expect(tokens.isReady()).toBe(true)
  expect(await tokens.current()).toEqual({ kind: 'token', token: none })
  for (const inARow of [1, 2]) {
    expect(await tokens.replace(none, refused(inARow))).toEqual({ kind: 'token', token: none, fresh: false })
  }
  expect(lines).toEqual([])
  const wanted = { kind: 'no-token', errcode: 40001, lasts: true, detail: expect.stringContaining('none') }
  expect(await tokens.replace(none, refused(3))).toMatchObject(wanted)
  expect(await tokens.probe()).toMatchObject(wanted)
  expect(tokens.isReady()).toBe(false)
  expect(lines.join('')).toContain('token.unavailable')
  tokens.prove(none)
  expect(await tokens.probe()).toEqual({ kind: 'token', token: none })
  await tokens.condemn(none)
  expect((await tokens.current()).kind).toBe('no-token')
  tokens.close()
})
