// A Redis that is shared gives its users what they need and no more. docs/redis.md says what that is, in lines to be copied:
// with these very lines the whole system runs here. Redis itself notes each command that it refuses, those of scripts included.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Outbox } from '@wechat-outbox/outbox'
import { connectRedis, type RedisClient, whenReady } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })
const WAIT = { timeout: 40_000, interval: 50 }
const page = readFileSync(join(import.meta.dirname, '../../docs/redis.md'), 'utf8')
const [EVERYTHING = '', PRODUCER = ''] = page.match(/^ACL SETUSER .*$/gm) ?? []
/** What a host gives that takes away what is dangerous. Of channels Redis 7 gives none, unless they are named. */
const HOSTED = 'ACL SETUSER hosted on >PASSWORD ~* -@all +@all -@dangerous'

let system: System
/** The default user, who may everything. */
let admin: RedisClient
beforeAll(async () => {
  system = await startSystem({ workers: 0 })
  admin = connectRedis(system.redis.url, 'operate')
  await whenReady(admin, 10_000)
})
afterAll(async () => {
  admin.disconnect()
  await system.close()
})
beforeEach(async () => {
  await admin.call('ACL', 'LOG', 'RESET')
  await admin.call('CONFIG', 'RESETSTAT')
})

/** Makes the user of a line, and returns the URL with which it connects. */
async function userOf(line: string): Promise<string> {
  const [, , name = '', ...rules] = line.replace('>PASSWORD', '>pw').split(' ')
  await admin.call('ACL', 'SETUSER', name, 'reset', ...rules)
  return system.redis.url.replace('redis://', `redis://${name}:pw@`)
}

/** What Redis has refused: by whom, which command, key or channel, and why. */
async function refused(): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG')) as (string | number)[][]
  return log.map((entry) => {
    const of = (name: string): string => String(entry[entry.indexOf(name) + 1])
    return `${of('username')} ${of('object')} (${of('reason')}, ${of('context')})`
  })
}

async function used(): Promise<Set<string>> {
  const stats = await admin.info('commandstats')
  return new Set([...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name = '']) => name))
}

const delivered = (content: string) =>
  vi.waitFor(async () => expect(await system.fake.accepted(content)).toHaveLength(1), WAIT)

async function ask(url: string, body?: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) }
  const answer = await fetch(url, init)
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`)
  return answer.json()
}

async function wxo<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await system.wxo(...args, '--json')
  if (code !== 0) throw new Error(`wxo ${args.join(' ')} ended with ${code}: ${stdout} ${stderr}`)
  return JSON.parse(stdout) as T
}

async function produce(url: string, mark: string): Promise<void> {
  const outbox = new Outbox({ redis: url, appid: APP })
  const first = { ...text('oA-person', `${mark} first`), idempotencyKey: mark }
  expect(await outbox.send(first)).toMatchObject({ duplicate: false })
  expect(await outbox.send(first)).toMatchObject({ duplicate: true })
  // More than a script takes, and more than one to a person.
  await outbox.sendMany(Array.from({ length: 60 }, (_, n) => text(`oA-${n % 6}`, `${mark} many ${n}.`)))
  const later = await outbox.send({ ...text('oA-later', `${mark} later`), sendAt: Date.now() + 3_600_000 })
  expect(await outbox.cancel(later.id)).toBe('cancelled')
  expect(await outbox.status(later.id)).toMatchObject({ status: 'cancelled' })
  const { id } = await outbox.send(text('oA-dies', `${mark} dies`))
  await vi.waitFor(async () => expect(await outbox.status(id)).toMatchObject({ status: 'dead' }), WAIT)
  await delivered(`${mark} first`)
  await delivered(`${mark} many 59.`)
  await outbox.close()
}

async function operate(gateway: string, mark: string): Promise<void> {
  const messages = `${gateway}/v1/apps/${APP}/messages`
  const { id } = (await ask(messages, text('oA-gateway', `${mark} gateway`))) as { id: string }
  await delivered(`${mark} gateway`)
  await vi.waitFor(async () => expect(await ask(`${messages}/${id}`)).toMatchObject({ status: 'delivered' }), WAIT)
  expect(await ask(`${gateway}/dashboard/api/queues`)).toMatchObject({ queues: [{}, {}] })
  expect((await fetch(`${gateway}/readyz`)).status).toBe(200)
  expect(await (await fetch(`${gateway}/metrics`)).text()).toContain('wxo_redis_up 1')
  expect(await wxo('status')).toMatchObject({ items: [{ appid: APP, deadLetters: 1 }] })
  const letters = await wxo<{ items: { id: string }[] }>('dead', 'ls')
  expect(letters.items).toHaveLength(1)
  await system.fake.clearFaults()
  await wxo('dead', 'replay', letters.items[0]?.id ?? '', '--yes')
  await delivered(`${mark} dies`)
  await wxo('app', 'ls')
}

/** All that people do with it, as one user or two. Returns what the worker wrote. */
async function useAll(url: string, producerUrl: string, mark: string): Promise<string> {
  system.env['REDIS_URL'] = url
  await system.fake.fault({ touser: 'oA-dies', fault: { name: 'errcode', errcode: 40003 } })
  const worker = await system.worker()
  const gateway = await system.gateway()
  await produce(producerUrl, mark)
  await operate(gateway, mark)
  // The connection on which a busy queue waits is opened after some messages.
  await vi.waitFor(async () => expect(await used()).toContain('bzpopmin'), WAIT)
  const log = worker.stdout() + worker.stderr()
  await Promise.all(system.workers.map((process) => process.stop('SIGTERM', 10_000)))
  return log
}

describe('the users of docs/redis.md', () => {
  it('have every right that anything asks for, each of which is used', async () => {
    const log = await useAll(await userOf(EVERYTHING), await userOf(PRODUCER), 'documented')
    // Nobody needs to know the settings of a Redis, its password among them.
    expect((await refused()).filter((entry) => !entry.startsWith('outbox config|get '))).toEqual([])
    expect(log.split('\n').filter((line) => line.includes('redis.'))).toEqual([
      expect.stringMatching(/redis\.unjudged.*appendfsync/),
    ])
    const commands = await used()
    const rights = EVERYTHING.split(' ').filter((rule) => rule.startsWith('+'))
    // Those of a cluster, and of an Outbox that waits for replicas.
    const elsewhere = ['+cluster|slots', '+cluster|info', '+wait']
    for (const right of rights.filter((rule) => !elsewhere.includes(rule))) {
      const others = rights.filter((other) => other !== right)
      const covered = new Set((await Promise.all(others.map(commandsOf))).flat())
      const needed = (await commandsOf(right)).filter((name) => commands.has(name) && !covered.has(name))
      expect(needed, right).not.toEqual([])
    }
  })

  it('have no dangerous right but INFO, and no key of others', async () => {
    const dangerous = await commandsOf('+@dangerous')
    for (const line of [EVERYTHING, PRODUCER]) {
      const rules = line.split(' ')
      const named = (await Promise.all(rules.slice(rules.indexOf('-@dangerous')).map(commandsOf))).flat()
      expect(named.filter((name) => dangerous.includes(name))).toEqual(['info'])
      const client = connectRedis(await userOf(line), 'operate')
      await whenReady(client, 10_000)
      for (const command of ['FLUSHALL', 'KEYS *', 'CONFIG GET requirepass', 'CLIENT LIST', 'GET other']) {
        const [name = '', ...args] = command.split(' ')
        await expect(client.call(name, ...args), command).rejects.toThrow('NOPERM')
      }
      client.disconnect()
    }
  })

  it('who only sends reads no token, in a script neither', async () => {
    const key = `{wxo:${APP}}:token`
    const client = connectRedis(await userOf(PRODUCER), 'operate')
    await whenReady(client, 10_000)
    await expect(client.hgetall(key)).rejects.toThrow('NOPERM')
    await expect(client.eval("return redis.call('HGET', KEYS[1], 'value')", 1, key)).rejects.toThrow(/permission/)
    client.disconnect()
  })
})

describe('a user without anything dangerous, INFO and channels included', () => {
  it('serves; what cannot be judged is said once by a worker, and by doctor', async () => {
    const url = await userOf(HOSTED)
    const log = await useAll(url, url, 'hosted')
    const unjudged = log.split('\n').filter((line) => line.includes('redis.unjudged'))
    expect(unjudged.map((line) => /append-only|appendfsync|maxmemory-policy|How full/.exec(line)?.[0])).toEqual([
      'append-only',
      'appendfsync',
      'maxmemory-policy',
      'How full',
    ])
    // Of the channels it is said once, too; and nobody fails for want of them.
    const errors = log.split('\n').filter((line) => /"level":"error"|ready check/.test(line))
    expect(errors).toEqual([expect.stringMatching(/redis\.error.*channels/)])
    const found = await wxo<{ ok: boolean; warnings: string[]; redis: object }>('doctor')
    expect(found).toMatchObject({ ok: true, redis: { reachable: true, version: expect.stringMatching(/^\d+\./) } })
    expect(found.warnings.filter((warning) => warning.includes('cannot be judged'))).toHaveLength(4)
    const { stdout } = await system.wxo('doctor')
    expect(stdout).toMatch(/persistence +cannot be judged/)
  })
})

/** What a rule of an access list allows: a category, or one command. */
async function commandsOf(rule: string): Promise<string[]> {
  if (!rule.startsWith('+')) return []
  const name = rule.slice(1)
  return name.startsWith('@') ? ((await admin.call('ACL', 'CAT', name.slice(1))) as string[]) : [name]
}
