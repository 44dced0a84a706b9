import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeWechat, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { createTokenStore } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { CredentialFinding } from '../src/credentials.ts'
import { APP, documentOf, SECRET_TOKEN, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const SECRET = 'a-secret-that-nobody-may-see'
const WRONG = 'a-wrong-one-that-nobody-may-see'

let world: World
let wechat: FakeWechat
let folder: string
beforeAll(async () => {
  world = await startWorld({ args: ['--maxmemory', '256mb'] })
  wechat = await startFakeWechat({ port: 0, apps: [{ appid: APP, secret: SECRET }] })
  folder = await mkdtemp(join(tmpdir(), 'wxo-apps-'))
})
afterAll(async () => {
  await world.close()
  await wechat.close()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  await world.store.redis.flushall()
  await world.store.redis.sadd('wxo:apps', APP)
  await world.store.redis.set(`{wxo:${APP}}:served`, '1')
  wechat.control.reset()
})

interface Doctor {
  readonly ok: boolean
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  readonly credentials: readonly CredentialFinding[]
}

/** The command's whole output, in which no secret may stand. */
async function doctor(env: Record<string, string>): Promise<Doctor & { stdout: string; code: number | null }> {
  const all = { env: { WECHAT_API_BASE_URL: wechat.url, ...env } }
  const json = await world.cli(['doctor', '--json'], all)
  const { code, stdout } = await world.cli(['doctor'], all)
  const printed = JSON.stringify(json) + stdout
  for (const secret of [SECRET, WRONG, SECRET_TOKEN, ...wechat.ledger.tokensIssued])
    expect(printed).not.toContain(secret)
  return { ...documentOf<Doctor>(json), code, stdout }
}

const appsFile = async (apps: unknown): Promise<Record<string, string>> => {
  const path = join(folder, 'apps.json')
  await writeFile(path, JSON.stringify(apps))
  return { WECHAT_APPS_FILE: path }
}
const asked = (): number => wechat.ledger.tokenCalls().length

/** As a worker has it that fetched it before the secret was changed. */
async function cacheToken(): Promise<void> {
  const claimed = await createTokenStore(world.store, APP).claim({ mode: 'need', lockMs: 5000, aheadMs: 0 })
  if (claimed.kind !== 'lock') throw new Error('there is a token already')
  await claimed.lock.store({ value: SECRET_TOKEN, parameter: 'access_token', lifetimeMs: 7_200_000 })
  await claimed.lock.release()
}

describe('doctor', () => {
  it('finds a secret that works, and asks WeChat once a minute whoever looks, without force', async () => {
    const found = await doctor({ WECHAT_APP_ID: APP, WECHAT_APP_SECRET: SECRET })
    expect(found).toMatchObject({ ok: true, code: 0, problems: [], warnings: [] })
    expect(found.credentials).toEqual([expect.objectContaining({ appid: APP, result: 'works', askedBy: 'doctor' })])
    expect(found.stdout).toMatch(/credential +\w+ works/)
    expect(found.stdout).toContain('✓ Nothing is wrong.\n')
    expect(asked()).toBe(1)
    expect(wechat.ledger.tokenCalls()).toMatchObject([{ kind: 'stable', force: false }])
  })

  it('finds a wrong secret behind a token that is cached, which it leaves alone', async () => {
    await cacheToken()
    const found = await doctor({ WECHAT_APP_ID: APP, WECHAT_APP_SECRET: WRONG })
    expect(found).toMatchObject({ ok: false, code: 1 })
    expect(found.problems).toEqual([
      expect.stringMatching(
        /^The credential of \w+ does not work: 40125 invalid-appsecret: .*\(The AppSecret .*\); asked just now, and not again for 1m\.$/,
      ),
    ])
    expect(found.stdout).toMatch(
      /✗ The credential of \w+ does not work: 40125 .*; asked (?:just now|\d+s ago), and not again for/,
    )
    expect(asked()).toBe(1)
    expect(await createTokenStore(world.store, APP).read()).toMatchObject({ value: SECRET_TOKEN, version: 1 })
  })

  it('says that it has not tried a credential that it has not got, and what the workers have', async () => {
    await cacheToken()
    const found = await doctor({ WECHAT_APP_ID: APP })
    expect(found).toMatchObject({ ok: true, code: 0, credentials: [{ appid: APP, result: 'not-checked' }] })
    expect(found.stdout).toMatch(
      /credential +\w+ not checked: its secret is not in this environment .*; its workers have a token for (?:2h|1h 59m) more/,
    )
    expect(asked()).toBe(0)
  })

  it('asks nobody while the workers remember that they were refused, and says so', async () => {
    const claimed = await createTokenStore(world.store, APP).claim({ mode: 'need', lockMs: 5000, aheadMs: 0 })
    if (claimed.kind !== 'lock') throw new Error('no lock')
    await claimed.lock.fail({ errcode: 40164, detail: 'not in whitelist' }, { firstMs: 60_000, mostMs: 60_000 })
    const found = await doctor({ WECHAT_APP_ID: APP, WECHAT_APP_SECRET: SECRET })
    expect(found.problems).toEqual([
      expect.stringMatching(/^The workers got no token .*: 40164 ip-not-allowed: not in/),
    ])
    expect(found.credentials).toMatchObject([{ result: 'refused', errcode: 40164, askedBy: 'workers' }])
    expect(asked()).toBe(0)
  })

  it('knows a quota, which tells nothing of the secret, from a refusal', async () => {
    wechat.control.addFault({ endpoint: 'token', fault: { name: 'errcode', errcode: 45009 } })
    const found = await doctor({ WECHAT_APP_ID: APP, WECHAT_APP_SECRET: SECRET })
    expect(found).toMatchObject({ ok: true, credentials: [{ result: 'unclear', errcode: 45009 }] })
    expect(found.warnings).toEqual([expect.stringMatching(/^Whether the credential of \w+ works is not known: 45009 /)])
  })

  it('asks a company’s token server as a worker does, and no source that it would disturb or cannot reach', async () => {
    const server = createServer((request, response) => {
      expect(request.headers.authorization).toBe('Bearer key')
      response.end('{"errcode":40125,"errmsg":"no"}')
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/token`
    const other = (n: number): string => `wx00000000000000b${n}`
    const env = await appsFile([
      { appid: APP, token: { type: 'http', url, headers: { authorization: 'Bearer key' } } },
      { appid: other(1), secret: SECRET, token: { type: 'classic' } },
      { appid: other(2), token: { type: 'file', path: '/tmp/token' } },
      { appid: other(3), token: { type: 'none' } },
    ])
    const found = await doctor(env)
    expect(found.credentials.map(({ result, errcode }) => errcode ?? result)).toEqual([
      40125,
      'not-checked',
      'not-checked',
      'not-checked',
    ])
    expect(found.stdout).toMatch(/wx00000000000000b1 not checked: the classic endpoint ends the workers’ token/)
    expect(found.stdout + JSON.stringify(found)).not.toContain('/token"')
    expect(asked()).toBe(0)
  })

  it('names a file of apps that the worker would refuse, and nothing that stands in it', async () => {
    const found = await doctor(await appsFile([{ appid: APP, secrets: SECRET }]))
    expect(found.problems[0]).toMatch(
      /^WECHAT_APPS_FILE 0 has a field other than .*: the worker would not start with it\.$/,
    )
  })
})
