// What a request may be made odd with: paths that are written differently, and bytes that are no HTTP.

export const APP = 'wx1234567890abcdef'
/** Stands in bodies, addresses and headers, and must stand in no log and no answer. */
export const MARK = 'GEHEIM-4711'
export const SEND = `/v1/apps/${APP}/messages`

export const TRICKS = [
  (path: string): string => `/${path}`,
  (path: string): string => path.replaceAll('/', '//'),
  (path: string): string => path.replace('/', '/%2e%2e/'),
  (path: string): string => `/x/..${path}`,
  (path: string): string => `/healthz/..${path}`,
  (path: string): string => `/healthz%2f..${path}`,
  (path: string): string => path.replaceAll('a', '%61'),
  (path: string): string => path.replaceAll('/', '%2f'),
  (path: string): string => `${path}%00`,
  (path: string): string => `${path}%`,
  (path: string): string => `${path}%zz%ff%c0%af`,
  (path: string): string => `${path};/healthz`,
  (path: string): string => `${path}#/healthz`,
  (path: string): string => `${path}/../../../../etc/passwd`,
  (path: string): string => path.toUpperCase(),
  (path: string): string => path.replaceAll('/', '\\'),
  (path: string): string => `http://127.0.0.1${path}`,
  (path: string): string => `${path}/${'x'.repeat(8000)}`,
  (path: string): string => `${path}?${'a=b&'.repeat(3000)}`,
  (path: string): string => `${path}?access_token=${MARK}&__proto__[x]=1&constructor=1&limit=-1&limit=2&cursor=%00`,
]

export const BROKEN = [
  'GET\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'BREW / HTTP/1.1\r\nhost: x\r\n\r\n',
  'GET / HTTP/1.1\r\nhost : 127.0.0.1\r\n\r\n',
  'GET / HTTP/1.1\r\nno colon here\r\n\r\n',
  'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil.example\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.0\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  `POST ${SEND} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!`,
  `POST ${SEND} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n`,
  `POST ${SEND} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999999999999\r\n\r\n`,
  `POST ${SEND} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /dashboard HTTP/1.1\r\n\r\n`,
  `POST ${SEND} HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
  `POST ${SEND} HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'CONNECT 127.0.0.1:6379 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
  'GET /dashboard HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
]
