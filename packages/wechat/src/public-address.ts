/**
 * Which addresses belong to the public Internet. A URL that somebody else names may lead to the machine itself, to its network or to a
 * cloud's metadata service; ipaddr.js knows the ranges of IANA's registries, and the forms of IPv6 that carry an IPv4 address.
 */
import ipaddr from 'ipaddr.js'

/** Global unicast, the only part of IPv6 that IANA hands out. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')
/** NAT64: in a network without IPv4 every public IPv4 address looks like this. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96')

/** Public by its range, but a virtual machine of Azure's finds its own host there, which gives out settings and keys. */
const AZURE_HOST = '168.63.129.16'

/** False for what is no address, too. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  if (address.kind() === 'ipv4') return isPublicIpv4(address)
  if (address.match(NAT64)) return isPublicIpv4(ipaddr.fromByteArray(address.toByteArray().slice(-4)))
  return address.match(GLOBAL_UNICAST) && address.range() === 'unicast'
}

function isPublicIpv4(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.range() === 'unicast' && address.toString() !== AZURE_HOST
}
