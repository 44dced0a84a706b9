/** Apps for which something is stored and that no worker serves, for `wxo doctor`. */
import { readUnserved, type UnservedApp, unservedSentence } from '@wechat-outbox/outbox/engine'
import { failureOf } from './failure.ts'
import type { Session } from './session.ts'

/** Told one by one. */
const LISTED_MAX = 20

export interface UnservedFindings {
  readonly items: readonly UnservedApp[]
  readonly error?: string
}

export async function examineUnserved(session: Session): Promise<UnservedFindings> {
  try {
    return { items: await readUnserved(await session.store()) }
  } catch (error) {
    return { items: [], error: failureOf(error).message }
  }
}

export function unservedProblems({ items, error }: UnservedFindings): string[] {
  if (error !== undefined) return [`Whether every app is served cannot be told: ${error}.`]
  const more = items.length - LISTED_MAX
  const rest = more > 0 ? [`${more} more apps have messages and no worker: \`wxo status\` shows them.`] : []
  return [...items.slice(0, LISTED_MAX).map(unservedSentence), ...rest]
}
