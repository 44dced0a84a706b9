/** A file or the standard input, which may be anything and of any length: read up to a limit, with a sentence for what is wrong. */
import { createReadStream } from 'node:fs'
import { CommandFailure } from './failure.ts'

export interface Limit {
  readonly bytesMax: number
  /** For people: what is wrong with more. */
  readonly tooLarge: string
}

/** @throws CommandFailure */
export async function readBounded(source: string | NodeJS.ReadableStream, limit: Limit): Promise<Buffer> {
  const name = typeof source === 'string' ? source : 'the standard input'
  const stream = typeof source === 'string' ? createReadStream(source) : source
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > limit.bytesMax) break
      chunks.push(chunk)
    }
  } catch (error) {
    throw new CommandFailure(`${name} cannot be read: ${reasonOf(error)}`)
  }
  if (length > limit.bytesMax) throw new CommandFailure(`${name} ${limit.tooLarge}`)
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
