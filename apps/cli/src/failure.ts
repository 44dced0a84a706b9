/** The two ways in which a command ends badly, and how each is reported: in a sentence, and with `--json` as a document. */
import { OutboxError } from '@wechat-outbox/outbox'
import { messageOf, messageWithCause } from '@wechat-outbox/outbox/engine'
import { ConfigError } from '@wechat-outbox/runtime'

/** Exit code 2: the command line cannot be meant. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Exit code 1: the command is clear and could not be done. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}

export const EXIT = { done: 0, failed: 1, usage: 2 } as const

export interface Failure {
  readonly exitCode: number
  readonly code: string
  readonly message: string
  readonly issues?: readonly { readonly path: string; readonly message: string }[]
}

/** What any error means for the person at the terminal. Texts of libraries are stripped of URLs' credentials. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return { exitCode: EXIT.usage, code: 'USAGE', message: error.message }
  if (error instanceof ConfigError) return { exitCode: EXIT.failed, code: 'CONFIG', message: error.message }
  if (error instanceof OutboxError) {
    const issues = error.issues.length === 0 ? {} : { issues: error.issues }
    return { exitCode: EXIT.failed, code: error.code, message: messageWithCause(error), ...issues }
  }
  return { exitCode: EXIT.failed, code: 'FAILED', message: messageOf(error) }
}

/** Every problem on a line of its own: the summary in an OutboxError's message stops after five. */
export function failureText(failure: Failure): string {
  if (failure.issues === undefined) return failure.message
  const lines = failure.issues.map(({ path, message }) => `  ${path || 'request'}: ${message}`)
  return ['the message is refused:', ...lines].join('\n')
}
