/**
 * Slows down whoever is refused again and again: after a few failures an address has to wait, longer each time, up to some
 * seconds. What is remembered is bounded, in addresses and over all of them together.
 */
import { isIPv6 } from 'node:net'

const FREE_FAILURES = 4
const PAUSE_MS = 250
const PAUSE_MS_MAX = 5000
const ADDRESSES_MAX = 1000
/** An address without a failure for as long begins anew: by then other people may have it. */
const FORGOTTEN_AFTER_MS = 900_000

export interface BrakeOptions {
  /** Over all addresses, because thousands of them may be one person's. Default: no limit. */
  readonly failuresPerSecondMax?: number
}

export interface Brake {
  /** How long an address has to wait yet; 0: not at all. */
  waitMs(address: string): number
  /** Notes a failure and returns how many there have been in a row. */
  failed(address: string): number
  passed(address: string): void
}

export function createBrake({ failuresPerSecondMax = Infinity }: BrakeOptions = {}): Brake {
  const failing = new Map<string, { failures: number; until: number }>()
  let second = { startedAt: 0, failures: 0 }
  const currentSecond = (now: number): typeof second => {
    if (now - second.startedAt >= 1000) second = { startedAt: now, failures: 0 }
    return second
  }
  return {
    waitMs(address) {
      const now = performance.now()
      const all = currentSecond(now)
      const forAll = all.failures >= failuresPerSecondMax ? all.startedAt + 1000 - now : 0
      return Math.max(0, forAll, (failing.get(networkOf(address))?.until ?? 0) - now)
    },
    failed(address) {
      const now = performance.now()
      currentSecond(now).failures += 1
      const network = networkOf(address)
      const before = failing.get(network)
      const failures = before === undefined || now - before.until > FORGOTTEN_AFTER_MS ? 1 : before.failures + 1
      const pauseMs =
        failures < FREE_FAILURES ? 0 : Math.min(PAUSE_MS * 2 ** Math.min(failures - FREE_FAILURES, 10), PAUSE_MS_MAX)
      // Put at the end again: the first ones are those that have failed least recently.
      failing.delete(network)
      failing.set(network, { failures, until: now + pauseMs })
      if (failing.size > ADDRESSES_MAX) failing.delete(failing.keys().next().value ?? '')
      return failures
    },
    passed(address) {
      failing.delete(networkOf(address))
    },
  }
}

/** Whoever has one IPv6 address has the 2^64 beside it as well. */
function networkOf(address: string): string {
  const [, v4] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (v4 !== undefined) return v4
  if (!isIPv6(address)) return address
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
