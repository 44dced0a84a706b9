/** WeChat refuses tokens while they are young, and good ones at random: neither costs a forced one, a hold or a message its place. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { APP, SECRET, type System, startSystem, text } from './support/system.ts'
import { eventsOf } from './support/token-trial.ts'

let system: System | undefined
afterEach(() => system?.close())

async function start(type: string): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-late-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'apps.json')
  await writeFile(file, JSON.stringify([{ appid: APP, secret: SECRET, token: { type } }]))
  // A call may take its time on a busy machine, and an unsure one would arrive twice.
  const limits = { RETRY_ATTEMPTS_MAX: '1', SEND_TIMEOUT_MS: '5000', STALLED_AFTER_MS: '10000' }
  const env = { WECHAT_APP_ID: '', WECHAT_APP_SECRET: '', WECHAT_APPS_FILE: file, ...limits }
  system = await startSystem({ workers: 1, env })
  return system
}

/** Stores them and waits until WeChat has taken each, once and in order. */
async function deliver({ outbox, fake }: System, { count, people, prefix }: Batch): Promise<void> {
  const requests = Array.from({ length: count }, (_, n) => text(`o-${n % people}`, `${prefix} ${n}`))
  for (const result of await outbox.sendMany(requests)) expect(result).toHaveProperty('id')
  const accepted = async () => (await fake.accepted(`${prefix} `)).map(({ touser, rawBody }) => ({ touser, rawBody }))
  await vi.waitFor(async () => expect(await accepted()).toHaveLength(count), { timeout: 45_000, interval: 20 })
  const bodies = requests.map((request) => ({ touser: request.touser, rawBody: JSON.stringify(request) }))
  const lanes = (list: typeof bodies) => Object.groupBy(list, ({ touser }) => touser)
  expect(lanes((await accepted()) as typeof bodies)).toEqual(lanes(bodies))
}

interface Batch {
  readonly count: number
  readonly people: number
  readonly prefix: string
}

async function expectNoHarm({ fake }: System, callsMax: number): Promise<void> {
  const { tokenCalls } = await fake.ledger()
  expect(tokenCalls.filter(({ force }) => force)).toEqual([])
  expect(tokenCalls.length).toBeLessThanOrEqual(callsMax)
  if (system === undefined) throw new Error('no system')
  for (const event of ['app.suspended', 'token.unavailable', 'message.dead'])
    expect(eventsOf(system, event)).toEqual([])
}

const faults = async (name: string): Promise<number> => {
  const summary = (await (await fetch(`${system?.fake.url}/_control/summary`)).json()) as {
    byFault: Record<string, number>
  }
  return summary.byFault[name] ?? 0
}

describe.each(['stable', 'classic'])('a %s token that is refused', (type) => {
  it.each([300, 1500])(
    'until it is %i ms old serves then',
    async (ms) => {
      const started = await start(type)
      await started.fake.fault({ fault: { name: 'fresh-token-refused-for', ms } })
      await deliver(started, { count: 100, people: 20, prefix: 'first' })
      expect(await faults('fresh-token-refused-for')).toBeGreaterThan(0)
      await expectNoHarm(started, type === 'stable' ? 2 : 1)
      // The same when it replaces one that has died.
      await started.fake.invalidateTokens()
      await deliver(started, { count: 100, people: 20, prefix: 'second' })
      await expectNoHarm(started, type === 'stable' ? 4 : 2)
    },
    90_000,
  )
})

describe('a good token', () => {
  it('that is refused at random is asked about once', async () => {
    const started = await start('stable')
    await started.fake.fault({ fault: { name: 'latency', minMs: 20, maxMs: 20 } })
    const timed = async (prefix: string): Promise<number> => {
      const began = performance.now()
      await deliver(started, { count: 200, people: 10, prefix })
      return Math.round(performance.now() - began)
    }
    await timed('warm')
    const undisturbedMs = await timed('steady')
    await started.fake.fault({ fault: 'random-40001' })
    const disturbedMs = await timed('stray')
    const refused = await faults('random-40001')
    expect(refused).toBeGreaterThan(0)
    await expectNoHarm(started, 2)
    process.stdout.write(`40001 at random: ${JSON.stringify({ undisturbedMs, disturbedMs, refused })}\n`)
  }, 120_000)
})
