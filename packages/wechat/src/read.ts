/**
 * Answers as they really come: with a byte order mark, with NUL or control characters around or inside the JSON, compressed
 * although nobody asked for it, with numbers written as text. WeChat has taken a message before it answers, so an answer that
 * cannot be read costs a duplicate: whatever can only mean one thing is read as that.
 *
 * Absent on purpose: looking for JSON inside of another text. A page that quotes an answer is not the answer.
 */
import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib'

export type JsonObject = Readonly<Record<string, unknown>>

type Decompress = (bytes: Buffer, bytesMax: number) => Buffer

// An answer that lacks only the end of its compression has been read by then, as browsers read it.
const gunzip: Decompress = (bytes, maxOutputLength) =>
  gunzipSync(bytes, { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH })
const inflate: Decompress = (bytes, maxOutputLength) =>
  // Half the world's servers mean the bare stream, the other half the one with a header, which begins with an 8.
  ((bytes[0] ?? 0) & 0x0f) === 8
    ? inflateSync(bytes, { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH })
    : inflateRawSync(bytes, { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH })
const unbrotli: Decompress = (bytes, maxOutputLength) => brotliDecompressSync(bytes, { maxOutputLength })
const unzstd: Decompress = (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength })

const DECOMPRESSORS: Readonly<Record<string, Decompress>> = { deflate: inflate, br: unbrotli, zstd: unzstd }

/** The text of a body, or null when it is longer than `bytesMax` once it is unpacked. */
export function textOf(bytes: Buffer, encoding: string | undefined, bytesMax: number): string | null {
  // Some compress without saying so, and some say so without compressing. No JSON begins with gzip's two bytes.
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  const decompress = isGzip ? gunzip : DECOMPRESSORS[(encoding ?? '').trim().toLowerCase()]
  if (decompress === undefined) return bytes.toString('utf8')
  try {
    return decompress(bytes, bytesMax).toString('utf8')
  } catch (error) {
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return isTooLarge ? null : bytes.toString('utf8')
  }
}

/** The value of a JSON text, or undefined where it is none. */
export function parseJson(text: string): unknown {
  return parsed(text) ?? parsed(tidied(text))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // An HTML page, half an answer, nothing at all: the caller names the status, and the text is not worth keeping.
    return undefined
  }
}

/** Without what no JSON may hold: marks and NUL vanish, so that a word cut by them is whole again; the rest becomes a space. */
export function tidied(text: string): string {
  return text
    .replaceAll(/[\0\u200B\u2060\uFEFF]/gu, '')
    .replaceAll(/\p{Cc}/gu, ' ')
    .trim()
}

export function parseObject(text: string): JsonObject | undefined {
  const value = parseJson(text)
  // Written as JSON twice.
  return objectOf(typeof value === 'string' ? parseJson(value) : value)
}

export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

/** A whole number, also as text. */
export function integerOf(value: unknown): number | undefined {
  const isText = typeof value === 'string' && /^[+-]?\d{1,16}(?:\.0+)?$/u.test(tidied(value))
  const number = isText ? Number(tidied(value)) : value
  // Adding 0 turns -0 into 0: both are a zero in JSON.
  return typeof number === 'number' && Number.isSafeInteger(number) ? number + 0 : undefined
}

export function errcodeOf({ errcode }: JsonObject): number | undefined {
  return integerOf(errcode)
}
