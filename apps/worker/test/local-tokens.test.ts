import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@wechat-outbox/runtime'
import { createTokenSource, createWechatClient, type TokenSourceConfig, tokenSourceSchema } from '@wechat-outbox/wechat'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createLocalTokens } from '../src/local-tokens.ts'
import type { PausedToken, Token, TokenResult, Tokens } from '../src/tokens.ts'

const appid = 'wx0123456789abcdef'
let dir = ''
let lines: string[] = []
const client = createWechatClient({ baseUrl: 'http://127.0.0.1:1', connections: 1, timeoutMs: 100 })
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-local-tokens-'))
})
afterAll(async () => {
  await client.close()
  await rm(dir, { recursive: true, force: true })
})

function tokens(given: unknown): Tokens {
  lines = []
  const config: TokenSourceConfig = tokenSourceSchema.parse(given)
  const source = createTokenSource(config, { appid, client, timeoutMs: 100 })
  if (source.kind !== 'local') throw new Error('not local')
  const log = createLogger({ level: 'trace', name: 'test', destination: { write: (line) => void lines.push(line) } })
  const made = createLocalTokens({ appid, source, log })
  onTestFinished(() => made.close())
  return made
}
function tokenOf(result: TokenResult | PausedToken): Token {
  if (result.kind !== 'token') throw new Error(`no token: ${JSON.stringify(result)}`)
  return result.token
}

/** The call that was refused began just now; `inARow`: the fourth time ends all doubt. */
const refuse = (one: Tokens, bad: Token, inARow = 4) => one.replace(bad, { startedAt: performance.now(), inARow })

describe('a token in a file', () => {
  const file = (name: string) => join(dir, name)
  const inFile = (name: string, everyS = 3600) => tokens({ type: 'file', path: file(name), everyS })

  it('is read once, and again when its time has come', async () => {
    await writeFile(file('timed'), 'one\n')
    const [seldom, often] = [inFile('timed'), inFile('timed', 0.1)]
    const token = { parameter: 'cloudbase_access_token', value: 'one', version: 1 }
    for (const one of [seldom, often]) expect(tokenOf(await one.current())).toEqual(token)
    await writeFile(file('timed'), 'two\n')
    await expect.poll(async () => tokenOf(await often.current())).toEqual({ ...token, value: 'two', version: 2 })
    expect(tokenOf(await seldom.current())).toEqual(token)
  })

  it('may have a mark before it and NUL behind', async () => {
    await writeFile(file('marked'), '\uFEFFone\r\n\0\0')
    expect(tokenOf(await inFile('marked').current()).value).toBe('one')
  })

  it('is read at once when WeChat has refused what was there', async () => {
    await writeFile(file('refused'), 'one')
    const mine = inFile('refused')
    const bad = tokenOf(await mine.current())
    await writeFile(file('refused'), 'two')
    expect(await refuse(mine, bad)).toMatchObject({ kind: 'token', token: { value: 'two' }, fresh: true })
    expect(await refuse(mine, bad)).toMatchObject({ kind: 'token', token: { value: 'two' }, fresh: false })
  })

  it('and that has been refused is not used again until there is another', async () => {
    await writeFile(file('same'), 'one')
    const mine = inFile('same', 0.1)
    const bad = tokenOf(await mine.current())
    expect(await refuse(mine, bad)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true, retryInMs: 100 })
    expect(await mine.current()).toMatchObject({ kind: 'no-token', errcode: 40001 })
    expect(await mine.probe()).toMatchObject({ kind: 'no-token', errcode: 40001 })
    await writeFile(file('same'), 'two')
    expect(tokenOf(await mine.probe()).value).toBe('two')
  })

  it('and that is refused by chance is used again, and another that has come meanwhile at once', async () => {
    await writeFile(file('stray'), 'one')
    const mine = inFile('stray')
    const token = tokenOf(await mine.current())
    for (const inARow of [1, 2, 3]) {
      expect(await refuse(mine, token, inARow)).toEqual({ kind: 'token', token, fresh: false })
      expect(tokenOf(await mine.current())).toEqual(token)
    }
    expect(lines.join('')).not.toContain('token.unavailable')
    const startedAt = performance.now() - 1
    mine.prove(token)
    expect(await mine.replace(token, { startedAt, inARow: 1 })).toEqual({ kind: 'token', token, fresh: false })
    await writeFile(file('stray'), 'two')
    expect(await refuse(mine, token, 1)).toMatchObject({ kind: 'token', token: { value: 'two' }, fresh: true })
  })

  it('that is empty for a moment goes on serving from memory', async () => {
    await writeFile(file('empty'), 'one')
    const mine = inFile('empty')
    const token = tokenOf(await mine.current())
    await writeFile(file('empty'), '')
    expect(tokenOf(await mine.probe())).toEqual(token)
    expect(lines.join('')).toContain('token.unavailable')
  })

  it('that is not there is missed without naming the file, and found when it appears', async () => {
    const mine = inFile('later')
    expect(await mine.current()).toMatchObject({ kind: 'no-token', lasts: false })
    expect(JSON.stringify(await mine.current()) + lines.join('')).not.toContain(dir)
    await writeFile(file('later'), 'one')
    expect(tokenOf(await mine.current()).value).toBe('one')
  })

  it.each(['<html>', 'two words', '{"access_token":"x"}', 'x'.repeat(5000)])(
    'is none when it holds %.20s',
    async (text) => {
      await writeFile(file('nonsense'), text)
      expect((await inFile('nonsense').current()).kind).toBe('no-token')
    },
  )
})

describe('a token in the configuration', () => {
  it('is what it is, until WeChat refuses it', async () => {
    const mine = tokens({ type: 'static', value: 'fixed' })
    const token = tokenOf(await mine.current())
    expect(token).toEqual({ parameter: 'access_token', value: 'fixed', version: 1 })
    expect(await refuse(mine, token)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true, retryInMs: 5000 })
  })

  it.each([
    ['static', { type: 'static', value: 'fixed' }],
    ['file', { type: 'file', path: '/proc/sys/kernel/ostype' }],
  ])('or a file waits for another value once it is refused, and says so: %s', async (type, source) => {
    const mine = tokens(source)
    const detail = `WeChat refuses the token of the ${type} source: the app waits for another value there`
    expect(await refuse(mine, tokenOf(await mine.current()))).toMatchObject({ kind: 'no-token', detail })
    expect(await mine.current()).toMatchObject({ kind: 'no-token', detail, lasts: true })
    expect(lines.map((line): unknown => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ event: 'token.unavailable', errcode: 40001, reason: detail }),
    )
  })

  it('is not used for a while once it is condemned', async () => {
    const mine = tokens({ type: 'static', value: 'fixed' })
    await mine.condemn(tokenOf(await mine.current()))
    expect((await mine.current()).kind).toBe('no-token')
  })
})
