/** A request from a file or from stdin, which may hold anything at all: every wrong shape gets a sentence of its own. */
import { readBounded } from './bounded-file.ts'
import { CommandFailure } from './failure.ts'

/** Far above the largest request (64 KiB), so that what is refused for its size is not a message in any case. */
const LIMIT = { bytesMax: 1024 * 1024, tooLarge: 'is larger than 1 MiB, and a message is at most 64 KiB' }

/** @throws CommandFailure */
export async function readMessageFile(path: string, stdin: NodeJS.ReadableStream): Promise<Record<string, unknown>> {
  const name = path === '-' ? 'the standard input' : path
  const bytes = await readBounded(path === '-' ? stdin : path, LIMIT)
  const value = parse(decode(bytes, name), name)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CommandFailure(
      `${name} holds no JSON object: a message looks like {"touser":"o…","msgtype":"text","text":{"content":"…"}}`,
    )
  }
  return value as Record<string, unknown>
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
