/** Do the lanes of every app agree with its queue? The looking and the mending are the store's; here it is summed up. */
import { inspectLanes, type LaneProblem } from '@wechat-outbox/outbox/engine'
import { knownApps } from './apps.ts'
import { failureOf } from './failure.ts'
import { plural } from './output.ts'
import type { Session } from './session.ts'

/** Lanes listed one by one. After a queue was obliterated every recipient has one. */
const LISTED_MAX = 100

const COUNTED = ['ghosts', 'duplicates', 'missing', 'parkedFirst'] as const

export interface LaneFindings {
  /** Lanes that disagree with the queue, or did before they were mended. */
  readonly found: number
  readonly repaired: boolean
  /** How many messages, by what is wrong with them. */
  readonly counts: Readonly<Record<(typeof COUNTED)[number], number>>
  /** The first of them. */
  readonly items: readonly (LaneProblem & { readonly appid: string })[]
  readonly error?: string
}

export async function examineLanes(session: Session, repair: boolean): Promise<LaneFindings> {
  const counts = { ghosts: 0, duplicates: 0, missing: 0, parkedFirst: 0 }
  const items: (LaneProblem & { appid: string })[] = []
  let found = 0
  try {
    const store = await session.store()
    for (const appid of await knownApps(session)) {
      for await (const problem of inspectLanes(store, { appid, repair })) {
        found += 1
        for (const kind of COUNTED) counts[kind] += problem[kind].length
        if (items.length < LISTED_MAX) items.push({ appid, ...problem })
      }
    }
    return { found, repaired: repair, counts, items }
  } catch (error) {
    return { found, repaired: repair, counts, items, error: failureOf(error).message }
  }
}

/** What is wrong in one line, or undefined where nothing is. */
export function laneProblem({ found, repaired, counts, error }: LaneFindings): string | undefined {
  if (error !== undefined) return `The lanes cannot be looked through: ${error}.`
  if (found === 0 || repaired) return undefined
  const disagree = found === 1 ? 'disagrees' : 'disagree'
  return `${plural(found, 'lane')} ${disagree} with the queue (${countsText(counts)}): \`wxo doctor --repair\` mends that.`
}

export function laneText({ found, repaired, counts, error }: LaneFindings): string {
  if (error !== undefined) return 'not looked through'
  if (found === 0) return 'agree with the queue'
  return `${found} ${repaired ? 'mended' : 'to be mended'}: ${countsText(counts)}`
}

function countsText({ ghosts, duplicates, missing, parkedFirst }: LaneFindings['counts']): string {
  const parts = [
    [ghosts, `${plural(ghosts, 'message')} that ${ghosts === 1 ? 'is' : 'are'} gone`],
    [duplicates, `${duplicates} listed twice`],
    [missing, `${missing} not listed`],
    [parkedFirst, `${parkedFirst} first and not woken`],
  ] as const
  return parts.flatMap(([count, text]) => (count === 0 ? [] : [text])).join(', ')
}
