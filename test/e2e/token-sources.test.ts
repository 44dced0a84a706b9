import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lazyStore } from '@wechat-outbox/outbox/engine'
import { expect, it, onTestFinished, vi } from 'vitest'
import { APP, SECRET, type System, startSystem, text } from './support/system.ts'

/** One worker whose app has its tokens from somewhere else than WeChat, and no secret. */
async function systemWith(token: object): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-source-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'apps.json')
  await writeFile(file, JSON.stringify([{ appid: APP, token }]))
  const env = { WECHAT_APP_ID: '', WECHAT_APP_SECRET: '', WECHAT_APPS_FILE: file, PROBE_EVERY_MS: '1000' }
  const system = await startSystem({ workers: 0, env })
  onTestFinished(() => system.close())
  return system
}

/** What the owner of the secret would get, and hand on. */
async function freshToken(system: System): Promise<string> {
  const grant = { grant_type: 'client_credential', appid: APP, secret: SECRET }
  const answer = await fetch(`${system.fake.url}/cgi-bin/stable_token`, { method: 'POST', body: JSON.stringify(grant) })
  return ((await answer.json()) as { access_token: string }).access_token
}

async function delivered(system: System, content: string): Promise<string[]> {
  const { id } = await system.outbox.send(text(`o-${content}`, content))
  await vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'), 20_000)
  return (await system.outbox.status(id))?.attempts.map(({ outcome }) => outcome) ?? []
}

/** What all workers have counted of tokens that came. */
async function tokensCounted(system: System): Promise<number> {
  const counts = system.workers.map(async (worker) => {
    const [, url = ''] = /"worker.started".*"url":"([^"]+)"/.exec(worker.stdout()) ?? []
    const metrics = await (await fetch(`${url}/metrics`)).text()
    return Number(/^wxo_token_refreshes_total\{.*result="stored"\} (\d+)$/m.exec(metrics)?.[1])
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

/** Nothing but the owner asked WeChat, and no token stands in any log. */
async function expectOwnerAlone(system: System, calls: number): Promise<void> {
  const { tokenCalls, tokensIssued } = await system.fake.ledger()
  expect(tokenCalls).toHaveLength(calls)
  for (const token of tokensIssued) expect(system.output()).not.toContain(token)
}

it('a company’s token server is asked for a token, and again after a refusal', async () => {
  const asked: IncomingHttpHeaders[] = []
  let token = ''
  const server = createServer((request, response) => {
    asked.push(request.headers)
    response.end(JSON.stringify({ access_token: token, expires_in: 7200 }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const key = 'Bearer k3y0f0th3s3rv3r'
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/wechat/token?app=1`
  const system = await systemWith({ type: 'http', url, headers: { authorization: key } })
  token = await freshToken(system)
  await system.worker()
  await system.worker()
  expect(await delivered(system, 'one')).toEqual(['delivered'])
  expect(asked).toHaveLength(1)
  expect(asked[0]?.authorization).toBe(key)
  await system.fake.invalidateTokens()
  token = await freshToken(system)
  expect(await delivered(system, 'two')).toEqual(['token-refreshed', 'delivered'])
  expect(asked).toHaveLength(2)
  expect(await tokensCounted(system)).toBe(2)
  await expectOwnerAlone(system, 2)
  expect(system.output()).not.toContain('k3y0f0th3s3rv3r')
}, 60_000)

it('a token server that repeats its URL gets none of it into the log, Redis or a hold', async () => {
  const server = createServer((request, response) => {
    const url = `http://${request.headers.host}${request.url}`
    const errmsg = `at ${url}, ${request.headers.host}, path /hooks/ab12, key q7, ${encodeURIComponent(url)} expired`
    response.end(JSON.stringify({ errcode: 40125, errmsg }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const system = await systemWith({ type: 'http', url: `http://127.0.0.1:${port}/hooks/ab12?k=q7` })
  await system.worker()
  await system.outbox.send(text('o-none', 'waits'))
  const lazy = lazyStore(system.redis.url)
  onTestFinished(() => lazy.close())
  const { redis } = await lazy.open()
  await vi.waitFor(async () => expect(await redis.exists(`{wxo:${APP}}:hold`)).toBe(1), 20_000)
  const kept = [await redis.hgetall(`{wxo:${APP}}:hold`), await redis.hgetall(`{wxo:${APP}}:token:failure`)]
  const lines = system.output().match(/.*token\.unavailable.*|.*app\.suspended.*/g) ?? []
  const status = await system.wxo('status', '--app', APP, '--json')
  const said = [JSON.stringify(kept), ...lines, JSON.stringify(JSON.parse(status.stdout).items)].join('\n')
  expect(said).toContain('40125')
  expect(said).toContain('***')
  for (const part of [`:${port}`, 'hooks', 'ab12', /\bq7\b/, '127.0.0.1']) expect(said).not.toMatch(part)
})

it('a token server that counts down to nothing is asked again after a second, until it has another', async () => {
  let answers: object[] = []
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    // As others write it, and with a mark before it.
    response.end(`\uFEFF${JSON.stringify({ code: 0, data: answers.length > 1 ? answers.shift() : answers[0] })}`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const system = await systemWith({ type: 'http', url })
  const accessToken = await freshToken(system)
  answers = ['1', '0', -1, 0, 7200].map((expiresIn) => ({ accessToken, expiresIn }))
  await system.worker()
  for (let n = 0; asked < 5; n += 1) expect(await delivered(system, `countdown-${n}`)).toEqual(['delivered'])
  expect(await delivered(system, 'afterwards')).toEqual(['delivered'])
  expect(asked).toBe(5)
  expect(system.output()).not.toContain('token.unavailable')
  await expectOwnerAlone(system, 1)
}, 60_000)

it('a file that is rewritten while the worker runs is read again', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-token-file-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const path = join(dir, 'cloudbase_access_token')
  const system = await systemWith({ type: 'file', path, everyS: 0.2 })
  await writeFile(path, await freshToken(system))
  await system.worker()
  expect(await delivered(system, 'one')).toEqual(['delivered'])
  await system.fake.invalidateTokens()
  // Dead, and no other yet: the message waits, and loses nothing.
  const { id } = await system.outbox.send(text('o-two', 'two'))
  const last = async () => (await system.outbox.status(id))?.attempts.at(-1)?.outcome
  await vi.waitFor(async () => expect(await last()).toBe('suspended'), 20_000)
  await writeFile(path, await freshToken(system))
  await vi.waitFor(async () => expect(await last()).toBe('delivered'), 20_000)
  await expectOwnerAlone(system, 2)
}, 60_000)

it('none: a reverse proxy under a name of its own, over plain http, adds the token', async () => {
  const paths: (string | undefined)[] = []
  let system: System | undefined
  let token = ''
  const server = createServer((request, response) => {
    paths.push(request.url)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = `${system?.fake.url}${request.url}?access_token=${token}`
      void fetch(url, { method: 'POST', body: Buffer.concat(chunks) })
        .then((answer) => answer.text())
        .then((text) => response.end(text))
    })
  }).listen(0, '0.0.0.0')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  system = await systemWith({ type: 'none' })
  token = await freshToken(system)
  // Not loopback by its name, and here all the same.
  const baseUrl = `http://0.0.0.0:${(server.address() as AddressInfo).port}`
  await expect(system.worker({ WECHAT_API_BASE_URL: baseUrl })).rejects.toThrow()
  expect(system.output()).toContain('WECHAT_ALLOW_HTTP=true')
  await system.worker({ WECHAT_API_BASE_URL: baseUrl, WECHAT_ALLOW_HTTP: 'true' })
  expect(await delivered(system, 'hosted')).toEqual(['delivered'])
  expect(paths).toEqual(['/cgi-bin/message/custom/send'])
  await expectOwnerAlone(system, 1)
}, 60_000)

it('a fixed value is sent with', async () => {
  const owner = await startSystem({ workers: 0 })
  onTestFinished(() => owner.close())
  const token = { type: 'static', value: await freshToken(owner) }
  const dir = await mkdtemp(join(tmpdir(), 'wxo-source-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'apps.json')
  await writeFile(file, JSON.stringify([{ appid: APP, token }]))
  await owner.worker({ WECHAT_APP_ID: '', WECHAT_APP_SECRET: '', WECHAT_APPS_FILE: file })
  expect(await delivered(owner, 'one')).toEqual(['delivered'])
  await expectOwnerAlone(owner, 1)
}, 60_000)
