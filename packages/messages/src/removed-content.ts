/**
 * What is left in Redis of a message whose content was removed: whom it was for, of what type it was, its times, and the producer's
 * metadata. `status` reports as much of it as of any other, and nothing of it can be sent again. It takes the place of the message, in the
 * data of its job or in its dead letter.
 */
import { z } from 'zod'
import type { JobData } from './job-data.ts'
import { type Part, partSchema } from './part.ts'

type Kept = Partial<Pick<JobData, 'sendAt' | 'expiresAt' | 'replayOf' | 'earlierReasons' | 'metadata'>>

export interface RemovedContent extends Kept {
  readonly v: number
  /** '' where nobody could tell. */
  readonly touser: string
  readonly contentRemoved: true
  readonly msgtype: string
  readonly part?: Part
}

const schema = z.object({
  v: z.int(),
  touser: z.string().max(64),
  contentRemoved: z.literal(true),
  msgtype: z.string().max(200),
  sendAt: z.number().optional(),
  expiresAt: z.number().optional(),
  replayOf: z.string().max(80).optional(),
  earlierReasons: z.array(z.string().max(200)).optional(),
  part: partSchema.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})

/** Version and recipient come first, where scripts read them, and the mark third, where `isRemovedText` does. */
export function withoutContent(data: JobData): RemovedContent {
  const { touser, msgtype, sendAt, expiresAt, replayOf, earlierReasons, part, metadata } = data
  return {
    v: 1,
    touser,
    contentRemoved: true,
    msgtype,
    ...(sendAt === undefined ? {} : { sendAt }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(replayOf === undefined ? {} : { replayOf }),
    ...(earlierReasons === undefined ? {} : { earlierReasons }),
    ...(part === undefined ? {} : { part }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

/** Of data that nobody could read, which may hold anything. `touser` is '' where nobody can tell whom it was for. */
export function withoutUnreadable({ touser, msgtype }: { touser: string; msgtype: string }): RemovedContent {
  return { v: 1, touser, contentRemoved: true, msgtype: msgtype.slice(0, 200) }
}

/** Undefined for everything else, a message that may be sent included. */
export function readRemovedContent(raw: unknown): RemovedContent | undefined {
  if (typeof raw !== 'object' || raw === null || !('contentRemoved' in raw)) return undefined
  return schema.safeParse(raw).data as RemovedContent | undefined
}

/** The same of the JSON as it stands in Redis, without reading all of it. */
export function isRemovedText(json: string): boolean {
  return /^\{"v":\d+,"touser":"[\w-]*","contentRemoved":true[,}]/.test(json)
}
