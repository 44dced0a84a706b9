// A producer of load over HTTP, and the eyes that watch it: as fast as it goes, or at a given pace whatever the answers take.
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

interface Answered {
  readonly status: number
  readonly body: string
  readonly ms: number
}

export interface LoadClient {
  /** Rejects when no whole answer came. */
  ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Answered>
  close(): void
}

/** Connections that are kept, as a service's client has them. */
export function openLoadClient(url: string, connections: number): LoadClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const ask = (method: 'GET' | 'POST', path: string, body?: object): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const began = performance.now()
      const headers = body === undefined ? {} : { 'content-type': 'application/json' }
      const sent = request(url + path, { method, agent, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: text, ms: performance.now() - began }),
        )
      })
      sent.on('error', reject)
      sent.end(body && JSON.stringify(body))
    })
  return { ask, close: () => agent.destroy() }
}

/** Runs `work` for 0, 1, 2 …, `width` at once, until `goesOn` says no. */
export async function inParallel(
  width: number,
  work: (n: number) => Promise<void>,
  goesOn: (n: number) => boolean,
): Promise<void> {
  let next = 0
  const one = async (): Promise<void> => {
    while (goesOn(next)) await work(next++)
  }
  await Promise.all(Array.from({ length: width }, one))
}

/** Runs `work` so many times a second for so long, and does not wait for one before the next. Returns how many there were. */
export async function atPace(perSecond: number, forMs: number, work: (n: number) => Promise<void>): Promise<number> {
  const began = performance.now()
  const count = Math.floor((perSecond * forMs) / 1000)
  const running: Promise<void>[] = []
  while (running.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - began) * perSecond) / 1000))
    while (running.length < due) running.push(work(running.length))
    await sleep(5)
  }
  await Promise.all(running)
  return count
}

export interface Memory {
  readonly heapBytes: number
  readonly residentBytes: number
}

export async function readMemory(url: string): Promise<Memory> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const figure = (name: string): number => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1])
  return { heapBytes: figure('nodejs_heap_size_used_bytes'), residentBytes: figure('process_resident_memory_bytes') }
}
