/** What the calls of `/v1` are described with, and the parts that they share. */
import { appidSchema } from '@wechat-outbox/messages'
import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import type { Right } from '../access.ts'
import { PROBLEMS, type ProblemCode } from '../problem.ts'
import * as schemas from './schemas.ts'

export interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** As OpenAPI writes it: a parameter in braces, and a colon that is a colon. */
  readonly path: string
  readonly right: Right
  /** The largest body, where there is one of JSON. */
  readonly bodyBytesMax?: number
  /** The body is a picture, of `MEDIA_BYTES_MAX` bytes at most. */
  readonly takes?: 'image'
  /** Whether it stores messages, which is done for known apps alone. */
  readonly stores?: true
  readonly document: ZodOpenApiOperationObject
}

export const APP = '/v1/apps/{appid}'
export const LETTERS = `${APP}/dead-letters`
export const ofApp = z.object({ appid: appidSchema })

export const json = (schema: z.ZodType) => ({ 'application/json': { schema } })

/** What may go wrong with any call. */
const ALWAYS: readonly ProblemCode[] = [
  'WXO_INVALID',
  'key-missing',
  'forbidden',
  'too-many-attempts',
  'too-many-requests',
  'internal',
  'WXO_UNAVAILABLE',
]

/** Problems by status, those of a status together. */
export function failing(...codes: readonly ProblemCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy([...codes, ...ALWAYS], (code) => PROBLEMS[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => PROBLEMS[code].title).join('; '),
        content: { 'application/problem+json': { schema: schemas.problem } },
        ...(status === 503 ? { headers: z.object({ 'Retry-After': z.string() }) } : {}),
      },
    ]),
  ) as ZodOpenApiResponsesObject
}
