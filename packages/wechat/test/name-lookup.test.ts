import type { LookupAddress } from 'node:dns'
import { lookup as lookupDns } from 'node:dns'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPublicClient } from '../src/index.ts'
import { createNameLookup } from '../src/name-lookup.ts'
import { nameServer } from './support/name-server.ts'
import { answer, rawServer } from './support/raw-server.ts'

const V4 = { address: '198.51.100.7', family: 4 }
const V6 = { address: '2001:db8::7', family: 6 }

function find(server: string, name: string): Promise<readonly LookupAddress[] | string | undefined> {
  return new Promise((resolve) => {
    createNameLookup([server])(name, { all: true }, (error, found) =>
      resolve(error === null ? (found as LookupAddress[]) : error.code),
    )
  })
}

describe('the name servers', () => {
  it('tell the addresses of both families', async () => {
    const server = await nameServer((type) => (type === 'A' ? [V4.address, '198.51.100.8'] : [V6.address]))
    expect(await find(server.address, 'pictures.test')).toEqual([V4, { ...V4, address: '198.51.100.8' }, V6])
    expect(server.asked.toSorted()).toEqual(['A pictures.test', 'AAAA pictures.test'])
  })

  it.each([
    ['answers that there is none', []],
    ['fails', 2],
    ['is silent', 'silent'],
  ] as const)('do not have to know both families: the other question %s', async (_, other) => {
    const v4 = await nameServer((type) => (type === 'A' ? [V4.address] : other))
    expect(await find(v4.address, 'four.test')).toEqual([V4])
    const v6 = await nameServer((type) => (type === 'AAAA' ? [V6.address] : other))
    expect(await find(v6.address, 'six.test')).toEqual([V6])
  })

  it.each([
    [3, 'ENOTFOUND'],
    [2, 'ESERVFAIL'],
    ['silent', 'ETIMEOUT'],
  ] as const)('may have no address: %s', async (said, code) => {
    const { address } = await nameServer(() => said)
    expect(await find(address, 'nowhere.test')).toBe(code)
  })

  it.each(['localhost', 'LocalHost.', 'a.localhost'])('are not asked for %s, which is this machine', async (name) => {
    const server = await nameServer(() => [V4.address])
    expect(await find(server.address, name)).toEqual([{ address: '127.0.0.1', family: 4 }])
    expect(server.asked).toEqual([])
  })

  it('hold up no other name while they are silent', async () => {
    const server = await nameServer(() => 'silent')
    let silent = 16
    const asked = Array.from({ length: silent }, async (_, n) => {
      await find(server.address, `n${n}.test`)
      silent -= 1
    })
    // The system's resolver, which the rest of the process uses.
    await new Promise<void>((resolve) => lookupDns('localhost', () => resolve()))
    expect(silent).toBe(16)
    await Promise.all(asked)
  })
})

describe('a call by a name', () => {
  const call = (servers: string, url: string) => {
    const client = createPublicClient({ allowedHosts: [], connections: 4, lookup: createNameLookup([servers]) })
    onTestFinished(() => client.close())
    return client.request({ url, method: 'GET', timeoutMs: 5000, bytesMax: 1000, redirectsMax: 0 })
  }

  it.each([
    ['127.0.0.1', '::1'],
    ['0.0.0.0', '::'],
    ['169.254.169.254', '::ffff:a9fe:a9fe'],
    ['168.63.129.16', '64:ff9b::a83f:8110'],
    ['100.100.100.200', 'fd00:ec2::254'],
  ])('reaches neither %s nor %s', async (v4, v6) => {
    const inside = await rawServer({ onRequest: (socket) => void socket.write(answer('secret')) })
    const server = await nameServer((type) => [type === 'A' ? v4 : v6])
    const refused = { kind: 'refused', detail: 'the host has no public address' }
    expect(await call(server.address, `http://inside.test:${inside.port}/`)).toEqual(refused)
    expect(inside.accepted).toBe(0)
  })

  it('that is not there says so', async () => {
    const server = await nameServer(() => 3)
    const broken = { kind: 'broken', detail: 'dns ENOTFOUND' }
    expect(await call(server.address, 'http://nowhere.test/')).toEqual(broken)
  })
})
