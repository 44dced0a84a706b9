/**
 * What a far side may repeat of the URL that it was called with: all of it, or the host, the path, one part of the path, one
 * value of the query. Handed to `cleanErrmsg`, so that none of it is kept.
 */

/** Where WeChat is. The words in its host's name and in its own paths are words of its messages, too, and no secrets. */
export function baseUrlParts(origin: string, prefix: string): string[] {
  const { host, hostname } = new URL(origin)
  return [origin, host, hostname, prefix, ...segmentsOf(prefix)].filter((part) => part !== '')
}

/** Of an address that only its owner knows. The last part of a host's name, such as `com` or `internal`, discloses nothing. */
export function urlParts(url: string): string[] {
  const { href, origin, host, hostname, port, pathname, search, searchParams } = new URL(url)
  const labels = /[^\d.]/u.test(hostname) && !hostname.startsWith('[') ? hostname.split('.').slice(0, -1) : []
  // `?key` alone has a name and no value.
  const values = [...searchParams].map(([name, value]) => (value === '' ? name : value))
  const raw = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1))
  const parts = [url, href, origin, host, hostname, ...labels, port, pathname, ...segmentsOf(pathname), search]
  const words = values.flatMap((value) => value.split(/[^\p{L}\p{N}_-]+/u))
  return [...parts, ...values, ...words, ...raw].filter((part) => part !== '' && part !== '/')
}

function segmentsOf(path: string): string[] {
  return path.split('/').flatMap((segment) => [segment, decoded(segment)])
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
