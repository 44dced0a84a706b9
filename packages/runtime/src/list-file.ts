/**
 * Lists that an operator keeps in a JSON file: apps, keys. Such a file holds secrets, or one by mistake; so what is
 * wrong with it is said by the name of its variable and the place in it, and never by what stands there.
 */
import { readFileSync } from 'node:fs'
import { PLAIN_ERRORS } from '@wechat-outbox/messages'
import type { z } from 'zod'

export interface ListFile<T> {
  /** The variable that names the file. Every problem begins with it. */
  readonly variable: string
  /** Missing or empty, as a variable may be: there is no file, and that is no problem. */
  readonly path: string | undefined
  /** Its messages are said after the place in the file, and must hold no value. */
  readonly schema: z.ZodType<T[]>
}

/** Reads the file at once. Never throws: what is wrong comes back as sentences, all of them, and then there are no entries. */
export function readListFile<T>({ variable, path, schema }: ListFile<T>): { entries: T[]; problems: string[] } {
  if (!path) return { entries: [], problems: [] }
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // The parser's own message quotes the file, and the other one the path.
    const why = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read'
    return { entries: [], problems: [`${variable} ${why}`] }
  }
  const read = schema.safeParse(content, PLAIN_ERRORS)
  if (read.success) return { entries: read.data, problems: [] }
  const problems = read.error.issues.map((issue) =>
    [variable, placeOf(issue.path), issue.message].filter((part) => part !== '').join(' '),
  )
  return { entries: [], problems }
}

/** The names of headers are the file's own and not those of settings. */
function placeOf(path: readonly PropertyKey[]): string {
  return path.map((part, at) => (path[at - 1] === 'headers' ? '*' : String(part))).join('.')
}
