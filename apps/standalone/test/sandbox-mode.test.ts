import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { type LedgerSummary, SANDBOX_APP_ID } from '@wechat-outbox/fake-wechat'
import { startProcess } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  addressOf,
  createBench,
  isAlive,
  isListening,
  redisPid,
  redisUrl,
  untilGone,
  untilUp,
} from './support/start.ts'

const bench = createBench()
afterEach(() => bench.clear())

/** Answers of the fake by errcode when the samples have gone well. */
const ANSWERS = { '0': 8, '-1': 1, '40001': 1, '45015': 2, '45047': 1, '40003': 1 }

const OTHER_APP = 'wx00000000000000aa'

async function read<T>(url: string): Promise<T> {
  return (await fetch(url)).json() as Promise<T>
}

const WAIT = { timeout: 20_000 }
const WXO = `${import.meta.dirname}/../../cli/src/main.ts`

/** What a command of the operator's says. */
async function runWxo(args: readonly string[], env: Record<string, string>): Promise<string> {
  const wxo = startProcess({ args: [WXO, ...args], env, name: 'wxo' })
  expect(await wxo.exited, wxo.stderr()).toEqual({ code: 0, signal: null })
  return wxo.stdout()
}

describe('start without any configuration', () => {
  it('says first that it is the sandbox, shows what happened, and stays up until SIGTERM; then nothing is left', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir])
    await untilUp(program)
    expect(program.stdout()).toMatch(
      /^SANDBOX: no WeChat credentials and no REDIS_URL.*\nNothing leaves this machine\.\n/,
    )
    expect(program.stdout()).not.toContain('callbacks')
    const urls = [
      await addressOf(program, 'dashboard'),
      await addressOf(program, 'fake WeChat'),
      await addressOf(program, 'Redis'),
    ]
    expect(await read<LedgerSummary>(urls[1] ?? '')).toMatchObject({ accepted: 8, byErrcode: ANSWERS, doubles: 0 })
    expect((await fetch(urls[0] ?? '')).status).toBe(200)
    expect((await fetch(await addressOf(program, 'health'))).status).toBe(200)
    expect((await fetch(await addressOf(program, 'docs'))).status).toBe(200)
    expect(program.stdout().split('\n').length).toBeLessThan(45)
    const { password } = new URL(await redisUrl(dir, 'redis-sandbox'))
    expect(password).toMatch(/^[\w-]{32}$/)
    expect(program.stdout()).not.toContain(password)
    expect(program.stdout()).toContain(`REDIS_URL=$(cat ${dir}/redis-sandbox/url) npx -y pnpm@12 wxo send`)
    expect(program.stdout()).toContain(`curl -X POST ${new URL(urls[1] ?? '').origin}/_control/users/oLi -d`)
    const doctor = startProcess({
      args: [WXO, 'doctor'],
      env: { REDIS_URL: await redisUrl(dir, 'redis-sandbox'), WECHAT_API_BASE_URL: new URL(urls[1] ?? '').origin },
    })
    expect(await doctor.exited).toEqual({ code: 0, signal: null })
    expect(doctor.stdout()).toMatch(/the fake WeChat of a sandbox[^]*Nothing is wrong/)
    const asked = new URLSearchParams({ grant_type: 'client_credential', appid: OTHER_APP, secret: 'any' }).toString()
    expect(await read(`${new URL(urls[0] ?? '').origin}/cgi-bin/token?${asked}`)).toMatchObject({ errcode: 40013 })

    const pid = await redisPid(dir)
    expect(await isAlive(pid)).toBe(true)
    expect(await program.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(await isAlive(pid)).toBe(false)
    expect(await Promise.all(urls.map(isListening))).toEqual([false, false, false])
    expect(program.stderr()).toBe('')
    expect(await readFile(`${dir}/log/standalone.jsonl`, 'utf8')).toContain('"event":"delivery.attempted"')
  }, 60_000)

  it('lets a waiting message go with the one command that it prints for its user', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir], {
      PUSH_AES_KEY: 'a'.repeat(43),
      PUSH_FORWARD_URL: 'http://127.0.0.1:1',
    })
    await untilUp(program)
    const env = { REDIS_URL: await redisUrl(dir, 'redis-sandbox') }
    const [, sent = ''] = await program.waitForLine(/ wxo (send --app \S+ --to oLi --on-closed hold --text \S+)$/)
    const id = (await runWxo(sent.split(' '), env)).split(' ', 1)[0] ?? ''
    const shown = async () => runWxo(['show', id, '--app', SANDBOX_APP_ID], env)
    await vi.waitFor(async () => expect(await shown()).toContain('waiting-for-user'), WAIT)
    const [, url = '', action = ''] = await program.waitForLine(/^ +curl -X POST (\S+oLi) -d '(.*)'$/)
    expect(await (await fetch(url, { method: 'POST', body: action })).json()).toEqual({ ok: true, pushed: true })
    await vi.waitFor(async () => expect(await shown()).toContain('delivered'), WAIT)
    expect(await runWxo(['window', 'oLi', '--app', SANDBOX_APP_ID], env)).toMatch(/open[^]*remaining +4[^]*message/)
  }, 90_000)

  it('says whom the settings of the shell tell of it', async () => {
    const receiver = createHttpServer((_request, response) => response.end()).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    const host = `127.0.0.1:${(receiver.address() as AddressInfo).port}`
    const CALLBACK_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
    const callbacks = { CALLBACK_URL: `http://${host}/a?b=c`, CALLBACK_SECRET, CALLBACK_ALLOWED_HOSTS: '127.0.0.1' }
    const told = once(receiver, 'request')
    const program = bench.start(['--data-dir', await bench.dir()], callbacks)
    await told
    expect(program.stdout()).toContain(`\nNothing leaves this machine but callbacks, to ${host}.\n`)
    expect(await addressOf(program, 'callbacks')).toBe(host)
    receiver.closeAllConnections()
    receiver.close()
  }, 60_000)

  it('works on the data of an earlier start', async () => {
    const dir = await bench.dir()
    for (const start of ['first', 'second']) {
      const program = bench.start(['--data-dir', dir])
      await untilUp(program)
      const summary = await read<LedgerSummary>(await addressOf(program, 'fake WeChat'))
      expect({ start, byErrcode: summary.byErrcode }).toEqual({ start, byErrcode: ANSWERS })
      expect((await program.stop('SIGINT')).code).toBe(0)
    }
    expect(await readdir(dir)).toEqual(['log', 'redis-sandbox'])
  }, 90_000)

  it('runs twice at the same time in two folders', async () => {
    const programs = [bench.start(['--data-dir', await bench.dir()]), bench.start(['--data-dir', await bench.dir()])]
    await Promise.all(programs.map(untilUp))
    expect(await addressOf(programs[0]!, 'Redis')).not.toBe(await addressOf(programs[1]!, 'Redis'))
  }, 90_000)

  it('refuses a folder in which another one works, and says so', async () => {
    const dir = await bench.dir()
    const first = bench.start(['--data-dir', dir])
    await untilUp(first)
    const second = bench.start(['--data-dir', dir])
    expect((await second.exited).code).toBe(1)
    expect(second.stderr()).toMatch(
      / Is `start` running already\? End it, or give this one a folder of its own: `npx -y pnpm@12 start --data-dir DIR`\.\n$/,
    )
    expect(await isAlive(await redisPid(dir))).toBe(true)
  }, 90_000)

  it('takes free ports where the usual ones are taken, and says so', async () => {
    const servers = []
    // One after the other: two runs do not wait for each other.
    for (const port of [3000, 9464, 9465]) servers.push(await occupy(port))
    const program = bench.start(['--data-dir', await bench.dir()], { GATEWAY_PORT: undefined, WORKER_PORT: undefined })
    await untilUp(program)
    expect(program.stdout()).toMatch(/Port 3000 is taken: a free one is used instead/)
    expect(program.stdout()).toMatch(/Port 9464 is taken: a free one is used instead/)
    expect(program.stdout()).toMatch(/Port 9465 is taken: a free one is used instead/)
    expect((await fetch(await addressOf(program, 'health'))).status).toBe(200)
    for (const server of servers) server?.close()
  }, 120_000)

  it('insists on a port that was asked for by name', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const program = bench.start(['--data-dir', await bench.dir()], { WORKER_PORT: String(port) })
    expect((await program.exited).code).toBe(1)
    expect(program.stderr()).toContain(`port ${port} is taken: set WORKER_PORT`)
    server.close()
  }, 60_000)

  it('writes the log to stderr when LOG_LEVEL is given', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir], { LOG_LEVEL: 'info' })
    await untilUp(program)
    expect(program.stderr()).toContain('"event":"delivery.attempted"')
    expect(program.stdout()).not.toContain('"event"')
  }, 60_000)

  it('refuses a wrong setting before it starts anything', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir], { WORKER_CONCURRENCY: 'many', DASHBOARD_USER: 'me' })
    expect((await program.exited).code).toBe(1)
    expect(program.stderr()).toMatch(/WORKER_CONCURRENCY[^]*DASHBOARD_USER/)
    expect(await readdir(dir)).toEqual([])
  })
})

describe('start, told to end before it is up', () => {
  it('exits 0 and leaves no Redis', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir])
    const pid = await vi.waitFor(() => redisPid(dir), { timeout: 20_000 })
    expect(await program.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    await untilGone(pid)
    expect(program.stdout()).not.toContain('Ctrl-C')
  }, 60_000)
})

describe('whoever is killed with -9', () => {
  it('npx above: the program ends, and its Redis', async () => {
    const dir = await bench.dir()
    const { npx, pid } = await bench.startBelowNpx(['--data-dir', dir])
    await untilUp(npx)
    const redis = await redisPid(dir)
    const url = await addressOf(npx, 'dashboard')
    await npx.kill9()
    await untilGone(pid)
    await untilGone(redis)
    expect(await isListening(url)).toBe(false)
  }, 60_000)

  it('the program itself: its Redis ends', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir])
    await untilUp(program)
    const redis = await redisPid(dir)
    await program.kill9()
    await untilGone(redis)
  }, 60_000)

  it('Redis: the program ends with 1 and says why', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--data-dir', dir])
    await untilUp(program)
    process.kill(await redisPid(dir), 'SIGKILL')
    expect((await program.exited).code).toBe(1)
    expect(program.stderr()).toContain('Redis has ended')
  }, 60_000)
})

/** Listens on a port; null where somebody else does already, which serves as well. */
/** Null: somebody else's for good. Another run of this suite lets go of it when its test ends, which would leave it free here. */
async function occupy(port: number) {
  const listen = async () => {
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    return server
  }
  return vi.waitFor(listen, { timeout: 30_000, interval: 20 }).catch(() => null)
}
