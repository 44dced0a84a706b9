/** A request from a file or from stdin, which may hold anything at all: every wrong shape gets a sentence of its own. */
import { createReadStream } from 'node:fs'
import { CommandFailure } from './failure.ts'

/** Far above the largest request (64 KiB), so that what is refused for its size is not a message in any case. */
const FILE_BYTES_MAX = 1024 * 1024

/** @throws CommandFailure */
export async function readMessageFile(path: string, stdin: NodeJS.ReadableStream): Promise<Record<string, unknown>> {
  const name = path === '-' ? 'the standard input' : path
  const bytes = await readBounded(path === '-' ? stdin : createReadStream(path), name)
  const value = parse(decode(bytes, name), name)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CommandFailure(
      `${name} holds no JSON object: a message looks like {"touser":"o…","msgtype":"text","text":{"content":"…"}}`,
    )
  }
  return value as Record<string, unknown>
}

async function readBounded(stream: NodeJS.ReadableStream, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > FILE_BYTES_MAX) break
      chunks.push(chunk)
    }
  } catch (error) {
    throw new CommandFailure(`${name} cannot be read: ${reasonOf(error)}`)
  }
  if (length > FILE_BYTES_MAX) throw new CommandFailure(`${name} is larger than 1 MiB, and a message is at most 64 KiB`)
  if (length === 0) throw new CommandFailure(`${name} is empty`)
  return Buffer.concat(chunks)
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a directory'
  if (code === 'EACCES') return 'it may not be read by you'
  return typeof code === 'string' ? code : 'unknown error'
}

function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CommandFailure(`${name} is not UTF-8 text`)
  }
}

function parse(text: string, name: string): unknown {
  if (text.includes('\0')) throw new CommandFailure(`${name} contains NUL bytes, so it is not JSON`)
  try {
    return JSON.parse(text)
  } catch (error) {
    // The parser's text quotes the file; where it stopped is enough.
    const at = /at position \d+(?: \(line \d+ column \d+\))?/.exec(String(error))?.[0]
    throw new CommandFailure(`${name} is not JSON${at === undefined ? '' : `: the fault is ${at}`}`)
  }
}
