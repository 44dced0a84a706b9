/**
 * The addresses of names that others have chosen. The system's resolver keeps one of a few threads for as long as a name server is
 * silent, and two such names hold up all that the process looks up, WeChat's own name and Redis's too. So the name
 * servers are asked without it, by c-ares; what only the system knows, as from its file of hosts, is not found here.
 */
import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { callbackify } from 'node:util'

/** A silent server is given up within 2.4 seconds, before the connection is. */
const ASKING = { timeout: 800, tries: 2 }
/** How long the addresses of one family wait for the other's. */
const OTHER_FAMILY_MS = 250
/** These are this machine, whatever a name server says. */
const LOOPBACK = /(?:^|\.)localhost\.?$/iu

/** Always answers with a list. `servers`: in place of those that the system names. */
export function createNameLookup(servers?: readonly string[]): LookupFunction {
  return (host, _options, callback) => {
    if (LOOPBACK.test(host)) return callback(null, [{ address: '127.0.0.1', family: 4 }])
    // One for each name, because it reads only when it is made which servers the system names.
    const resolver = new Resolver(ASKING)
    if (servers !== undefined) resolver.setServers(servers)
    const find = callbackify(() => addressesOf(host, resolver))
    find((error, addresses) => callback(error, error === null ? addresses : []))
  }
}

async function addressesOf(host: string, resolver: Resolver): Promise<LookupAddress[]> {
  const asked = [
    resolver.resolve4(host).then((all) => all.map((address) => ({ address, family: 4 }))),
    resolver.resolve6(host).then((all) => all.map((address) => ({ address, family: 6 }))),
  ]
  try {
    await Promise.any(asked)
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
  const late = sleep(OTHER_FAMILY_MS, [], { ref: false })
  const found = await Promise.all(asked.map((one) => Promise.race([one.catch(() => []), late])))
  return found.flat()
}
