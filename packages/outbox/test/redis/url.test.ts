import { describe, expect, it } from 'vitest'
import { OutboxError } from '../../src/errors.ts'
import { parseRedisUrl } from '../../src/redis/url.ts'

const single = (node: object) => ({ kind: 'single', node })

describe('parseRedisUrl', () => {
  it.each([
    ['redis://h', { host: 'h', port: 6379 }],
    ['redis://h:7000/', { host: 'h', port: 7000 }],
    ['redis://h:7000/3', { host: 'h', port: 7000, db: 3 }],
    ['redis://', { host: '127.0.0.1', port: 6379 }],
    [' redis://h ', { host: 'h', port: 6379 }],
    ['redis://:p%40ss@h', { host: 'h', port: 6379, password: 'p@ss' }],
    ['redis://u:p%2Fs%23@h:1/2', { host: 'h', port: 1, username: 'u', password: 'p/s#', db: 2 }],
    ['redis://u@h', { host: 'h', port: 6379, username: 'u' }],
    ['rediss://h:6380', { host: 'h', port: 6380, tls: {} }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['redis://[::1]', { host: '::1', port: 6379 }],
    ['rediss://u:p@[2001:db8::1]:1/4', { host: '2001:db8::1', port: 1, username: 'u', password: 'p', db: 4, tls: {} }],
  ])('reads one server: %s', (url, node) => {
    expect(parseRedisUrl(url)).toEqual(single(node))
  })

  it('reads a cluster', () => {
    expect(parseRedisUrl('redis://a:1, redis://b:2,redis://[::1]:3')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
        { host: '::1', port: 3 },
      ],
    })
    expect(parseRedisUrl('rediss://u:p@a:1,rediss://u:p@b:2')).toMatchObject({
      kind: 'cluster',
      nodes: [{ tls: {}, password: 'p' }, { tls: {} }],
    })
  })

  it('reads sentinels, with or without a login for the master', () => {
    const two = [
      { host: 'a', port: 1 },
      { host: 'b', port: 26379 },
    ]
    expect(parseRedisUrl('redis+sentinel://a:1,b/my-master.1')).toEqual({
      kind: 'sentinel',
      sentinels: two,
      master: 'my-master.1',
      login: {},
    })
    expect(parseRedisUrl('redis+sentinel://u:p%40ss@a:1,b/m')).toEqual({
      kind: 'sentinel',
      sentinels: two,
      master: 'm',
      login: { username: 'u', password: 'p@ss' },
    })
    expect(parseRedisUrl('redis+sentinel://:p@[::1]:5/m')).toEqual({
      kind: 'sentinel',
      sentinels: [{ host: '::1', port: 5 }],
      master: 'm',
      login: { password: 'p' },
    })
  })

  it('gives a sentinel with an address of IPv6 the port of sentinels', () => {
    expect(parseRedisUrl('redis+sentinel://[::1]/m')).toMatchObject({ sentinels: [{ host: '::1', port: 26379 }] })
  })

  it.each([
    '',
    'h:6379',
    'S3CRET',
    'http://u:S3CRET@h',
    'redis:S3CRET',
    'redis://u:S3CRET@h/db',
    'redis://u:S3CRET@h/1/2',
    'redis://u:S3CRET@h:99999',
    'redis://u:S3CRET@h h',
    'redis://u:S3CRET%@h',
    'redis://a:1,',
    'redis://a:1,http://u:S3CRET@b',
    'redis+sentinel://u:S3CRET@a:1',
    'redis+sentinel://u:S3CRET@a:1/',
    'redis+sentinel://u:S3CRET@/m',
    'redis+sentinel://u:S3CRET@a:x/m',
    'redis+sentinel://:S3CRET#@a/m',
    'redis+sentinel://:S3CRET?@a/m',
    'redis+sentinel://u:S3CRET%@a/m',
    'redis+sentinel://u?:S3CRET@a/m',
    'redis+sentinel://:S3CRET@a:1:2/m',
  ])('refuses %s without repeating it', (url) => {
    const error = thrownBy(() => parseRedisUrl(url))
    expect(error).toBeInstanceOf(OutboxError)
    expect(error).toMatchObject({ code: 'WXO_CONFIG' })
    expect(everythingOf(error)).not.toContain('S3CRET')
  })
})

describe('a part that cannot be kept', () => {
  it.each([
    ['redis://h?db=5', /`db=` is not understood.*redis:\/\/host:6379\/5/],
    ['redis://h/1?DB=5', /`db=` is not understood/],
    ['redis://h?tls=true', /`tls=` is not understood.*rediss:\/\//],
    [
      'redis://h?ssl=true&password=S3CRET',
      /`ssl=` is not understood.*`password=` is not understood.*user:password@host/,
    ],
    ['redis://h?S3CRET', /a query \(`\?…`\) is not understood/],
    ['redis://u:1?S3CRET@h', /a query.*%3F/],
    ['redis://h?', /a query/],
    ['redis://h#S3CRET', /a fragment.*%23/],
    ['redis://u:1#S3CRET@h', /a fragment/],
    ['redis://a,redis://b?db=5', /`db=` is not understood/],
    ['redis+sentinel://a/m?db=5', /`db=` is not understood/],
    ['redis://:S3CRET@a,rediss://:S3CRET@b', /redis:\/\/ and rediss:\/\/ are mixed/],
    ['redis://:S3CRET@a,redis://:other@b', /the passwords differ/],
    ['redis://:S3CRET@a,redis://b', /the passwords differ/],
    ['redis://u:S3CRET@a,redis://v:S3CRET@b', /the users differ/],
    ['redis://a/1,redis://b/1', /no database but 0/],
    ['redis://a,redis://b/1', /no database but 0/],
    ['unix:///run/S3CRET.sock', /unix socket is not supported.*redis:\/\/127\.0\.0\.1:6379/],
    ['redis+unix:///run/S3CRET.sock', /unix socket/],
    ['redis-socket:///run/S3CRET.sock', /unix socket/],
    ['/run/S3CRET.sock', /unix socket/],
  ])('is refused by its name: %s', (url, sentence) => {
    const error = thrownBy(() => parseRedisUrl(url))
    expect(error).toMatchObject({ code: 'WXO_CONFIG', message: expect.stringMatching(sentence) })
    expect(everythingOf(error)).not.toContain('S3CRET')
  })
})

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

/** Its message, stack and every own property, as a logger may print them. */
function everythingOf(error: unknown): string {
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error as object, name)))
  return [String(error), ...own].join('\n')
}
