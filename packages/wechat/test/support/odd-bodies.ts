/** The manners in which one and the same JSON text may arrive, each of which says what the text says. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

interface OddBody {
  readonly name: string
  readonly bytes: (json: string) => Buffer
  readonly headers?: readonly string[]
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'utf8')

export const ODD_BODIES: readonly OddBody[] = [
  { name: 'a byte order mark', bytes: (json) => bytesOf(`\uFEFF${json}`) },
  { name: 'two byte order marks and a line break', bytes: (json) => bytesOf(`\uFEFF\uFEFF\r\n${json}`) },
  { name: 'spaces of several kinds around it', bytes: (json) => bytesOf(`\u00A0\u3000 ${json}\u2028\n`) },
  { name: 'NUL around it', bytes: (json) => bytesOf(`\0\0${json}\0`) },
  { name: 'NUL between every two characters', bytes: (json) => bytesOf(json.split('').join('\0')) },
  { name: 'control characters around it', bytes: (json) => bytesOf(`\u0001\u001B${json}\u0004`) },
  { name: 'line breaks inside a text', bytes: (json) => bytesOf(json.replace('{', '{"more":"a\r\nb\tc",')) },
  { name: 'BEL and ESC inside a text', bytes: (json) => bytesOf(json.replace('{', '{"more":"a\u0007b\u001B[0m",')) },
  { name: 'bytes that are no UTF-8', bytes: (json) => Buffer.from(json.replace('{', '{"more":"\xB2\xE2",'), 'latin1') },
  { name: 'the text once more as JSON', bytes: (json) => bytesOf(JSON.stringify(json)) },
  { name: 'gzip that is not announced', bytes: gzipSync },
  { name: 'gzip', bytes: gzipSync, headers: ['content-encoding: gzip'] },
  {
    name: 'gzip without its end',
    bytes: (json) => gzipSync(json).subarray(0, -8),
    headers: ['content-encoding: gzip'],
  },
  { name: 'gzip that is announced and not there', bytes: bytesOf, headers: ['content-encoding: gzip'] },
  { name: 'brotli that is announced and not there', bytes: bytesOf, headers: ['content-encoding: br'] },
  {
    name: 'gzip with a mark inside',
    bytes: (json) => gzipSync(`\uFEFF${json}\0`),
    headers: ['Content-Encoding: GZIP'],
  },
  { name: 'deflate', bytes: deflateSync, headers: ['content-encoding: deflate'] },
  { name: 'raw deflate', bytes: deflateRawSync, headers: ['content-encoding: deflate'] },
  { name: 'brotli', bytes: brotliCompressSync, headers: ['content-encoding: br'] },
  { name: 'zstd', bytes: zstdCompressSync, headers: ['content-encoding: zstd'] },
]

/** A whole HTTP answer with it. */
export function oddAnswer({ bytes, headers = [] }: OddBody, json: string, status = '200 OK'): Buffer {
  const body = bytes(json)
  const head = [`HTTP/1.1 ${status}`, `content-length: ${body.length}`, ...headers].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body])
}
