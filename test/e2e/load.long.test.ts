// A minute of load over HTTP at half of what this machine can take, which is measured first: nothing is refused, everything
// that was accepted arrives once, and neither the gateway nor the worker holds more at the end than at the beginning.
import { afterEach, expect, it, vi } from 'vitest'
import { atPace, inParallel, type LoadClient, type Memory, openLoadClient, readMemory } from './support/load.ts'
import { APP, type System, startSystem, text } from './support/system.ts'

const MESSAGES = `/v1/apps/${APP}/messages`
const CONNECTIONS = 32
const PEOPLE = 2000
const WARM_UP_MS = 3000
const MEASURED_MS = 10_000
const SUSTAINED_MS = 60_000
const MIB = 1024 * 1024
/** What code that is compiled, and caches may take; and of each message less than anything that would hold on to it. */
const HEAP_GROWTH_MAX = 3 * MIB
const HEAP_GROWTH_PER_MESSAGE_MAX = 128
/** Runs the collector when it is told to, so that what is left is what is held. NODE_OPTIONS would take other quotes away. */
const COLLECT = "data:text/javascript,process.on('SIGUSR2',()=>{gc();gc()})"
const COLLECTIONS = 5
/** Answers may take their time on a machine that others use, and every message's status is asked for at the end. */
const ENV = {
  SEND_TIMEOUT_MS: '10000',
  STALLED_AFTER_MS: '15000',
  RETAIN_DELIVERED_MAX: '1000000',
  NODE_OPTIONS: `--expose-gc --import=${COLLECT}`,
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(1)

let system: System
let client: LoadClient
afterEach(async () => {
  client?.close()
  await system?.close()
})

interface Sent {
  readonly ids: Map<string, string>
  readonly refusals: string[]
  readonly ms: number[]
}

/** Sends the n-th message of a phase and remembers what came of it. */
function sender(phase: string): { sent: Sent; send: (n: number) => Promise<void> } {
  const sent: Sent = { ids: new Map(), refusals: [], ms: [] }
  const send = async (n: number): Promise<void> => {
    const content = `${phase}-${n}`
    const answer = await client.ask('POST', MESSAGES, text(`o-load-${n % PEOPLE}`, content)).catch(String)
    if (typeof answer === 'string') return void sent.refusals.push(answer)
    if (answer.status !== 202) return void sent.refusals.push(`${answer.status} ${answer.body}`)
    sent.ids.set((JSON.parse(answer.body) as { id: string }).id, content)
    sent.ms.push(answer.ms)
  }
  return { sent, send }
}

const acceptedByFake = async (): Promise<number> => (await system.fake.summary()).accepted

const untilAccepted = (count: number): Promise<void> =>
  vi.waitFor(async () => expect(await acceptedByFake()).toBe(count), { timeout: 60_000, interval: 250 })

/** Messages a second from the acceptance of the first to the delivery of the last, with all the connections busy. */
async function measureCapacity(): Promise<{ perSecond: number; sent: number }> {
  const phases = []
  for (const [name, forMs] of [
    ['warm', WARM_UP_MS],
    ['measured', MEASURED_MS],
  ] as const) {
    const { sent, send } = sender(name)
    const before = await acceptedByFake()
    const began = performance.now()
    await inParallel(CONNECTIONS, send, () => performance.now() < began + forMs)
    expect(sent.refusals).toEqual([])
    await untilAccepted(before + sent.ids.size)
    phases.push({ count: sent.ids.size, perSecond: (sent.ids.size * 1000) / (performance.now() - began) })
  }
  return { perSecond: phases.at(-1)?.perSecond ?? 0, sent: phases.reduce((sum, { count }) => sum + count, 0) }
}

/** What the processes hold once they have collected: the least of some looks, for a signal may be later than a request. */
async function readMemories(urls: readonly string[]): Promise<Memory[]> {
  const looks: Memory[][] = []
  for (let look = 0; look < COLLECTIONS; look += 1) {
    for (const { pid } of system.workers) process.kill(pid, 'SIGUSR2')
    looks.push(await Promise.all(urls.map(readMemory)))
  }
  const least = (index: number, of: keyof Memory): number => Math.min(...looks.map((look) => look[index]?.[of] ?? 0))
  return urls.map((_, index) => ({
    heapBytes: least(index, 'heapBytes'),
    residentBytes: least(index, 'residentBytes'),
  }))
}

async function expectAllDelivered({ ids }: Sent): Promise<void> {
  const taken = (await system.fake.sends()).filter(
    ({ accepted, rawBody }) => accepted && rawBody.includes('sustained-'),
  )
  const contents = taken.map(({ body }) => (body as ReturnType<typeof text>).text.content)
  expect(contents.length).toBe(ids.size)
  const there = new Set(contents)
  expect([...ids.values()].filter((content) => !there.has(content))).toEqual([])
  const all = [...ids.keys()]
  const open: string[] = []
  const check = async (n: number): Promise<void> => {
    const { body } = await client.ask('GET', `${MESSAGES}/${all[n]}`)
    if ((JSON.parse(body) as { status?: string }).status !== 'delivered') open.push(body)
  }
  // The last ones may have been taken a moment before that was written down.
  await vi.waitFor(async () => {
    open.length = 0
    await inParallel(CONNECTIONS, check, (n) => n < all.length)
    expect(open).toEqual([])
  }, 120_000)
}

it('takes half of what it can for a minute, without an error, and delivers every message', async () => {
  system = await startSystem({ env: ENV })
  const [, worker = ''] = /"worker.started".*"url":"([^"]+)"/.exec(system.workers[0]?.stdout() ?? '') ?? []
  const gateway = await system.gateway()
  client = openLoadClient(gateway, CONNECTIONS)
  const capacity = await measureCapacity()
  const before = await readMemories([worker, gateway])
  const { sent, send } = sender('sustained')
  const count = await atPace(capacity.perSecond / 2, SUSTAINED_MS, send)
  expect(sent.refusals).toEqual([])
  expect(sent.ids.size).toBe(count)
  await untilAccepted(capacity.sent + count)
  const memory = async (): Promise<void> => {
    for (const [index, { heapBytes, residentBytes }] of (await readMemories([worker, gateway])).entries()) {
      const growth = heapBytes - (before[index]?.heapBytes ?? 0)
      memories[index] = `${mib(residentBytes)} MiB resident, heap ${mib(heapBytes)}, ${mib(growth)} more than before`
      expect(growth).toBeLessThan(HEAP_GROWTH_MAX + count * HEAP_GROWTH_PER_MESSAGE_MAX)
    }
  }
  const memories: string[] = []
  await vi
    .waitFor(memory, { timeout: 20_000, interval: 1000 })
    .finally(() => process.stdout.write(`${memories.join('; ')}\n`))
  await expectAllDelivered(sent)
  const ms = sent.ms.toSorted((a, b) => a - b)
  const figures = [`${Math.round(capacity.perSecond)}/s at most, ${count} at half of it`]
  figures.push(`answers: median ${ms[count >> 1]?.toFixed(1)} ms, p99 ${ms[Math.floor(count * 0.99)]?.toFixed(1)} ms`)
  process.stdout.write(`${figures.join('; ')}\n`)
}, 400_000)
