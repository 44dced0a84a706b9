/**
 * Where WeChat is. Tokens and secrets travel in these URLs, so plain HTTP is allowed to this machine only – or to any, where
 * somebody says so: WeChat's cloud hosting speaks plain HTTP inside of itself, and so may a reverse proxy.
 */
import { BlockList, isIPv6 } from 'node:net'

export interface BaseUrl {
  readonly origin: string
  /** The path before WeChat's own, without a slash at its end: `''` or `/proxy`. */
  readonly prefix: string
}

/** Throws an Error that says what is wrong and never repeats the URL: it may hold a password. */
export function parseBaseUrl(baseUrl: string, { allowHttp = false }: { readonly allowHttp?: boolean } = {}): BaseUrl {
  if (!URL.canParse(baseUrl)) throw new Error('the WeChat base URL is not a valid URL')
  const url = new URL(baseUrl)
  if (url.username !== '' || url.password !== '') throw new Error('the WeChat base URL must not contain credentials')
  if (url.search !== '' || url.hash !== '') throw new Error('the WeChat base URL must not have a query or a fragment')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (allowHttp || isLoopback(url.hostname)))) {
    throw new Error(
      'the WeChat base URL must be https; plain http is for loopback addresses, or for any with WECHAT_ALLOW_HTTP=true',
    )
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/u, '') }
}

/**
 * What stands against a base URL, for whoever collects the faults of a configuration. Where the variable that allows plain http
 * could not be read, plain http is not held against the URL.
 */
export function baseUrlProblems(settings: {
  readonly WECHAT_API_BASE_URL?: string | undefined
  readonly WECHAT_ALLOW_HTTP?: boolean | undefined
}): string[] {
  const { WECHAT_API_BASE_URL: url, WECHAT_ALLOW_HTTP: allowHttp = true } = settings
  try {
    if (url !== undefined) parseBaseUrl(url, { allowHttp })
    return []
  } catch (error) {
    return [`WECHAT_API_BASE_URL: ${error instanceof Error ? error.message : 'cannot be read'}`]
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether a host, as it is listened on or as a URL has it, is this machine alone. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/u, '$1')
  return address === 'localhost' || loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
