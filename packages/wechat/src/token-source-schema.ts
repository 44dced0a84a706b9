/**
 * Where an app's tokens come from: the `token` of an app in `WECHAT_APPS_FILE`. `docs/tokens.md` shows each kind. What is
 * wrong is said by its path and never by its value, since URLs, headers and values are secrets here.
 */
import { z } from 'zod'
import { isLoopback } from './base-url.ts'
import { tokenOfText } from './token-answer.ts'

const PARAMETER = 'access_token'
const CLOUD_PARAMETER = 'cloudbase_access_token'

/** The query parameter of WeChat's that carries the token. */
const parameter = (name: string) =>
  z
    .string('must be the name of a query parameter')
    .regex(/^[a-z_]{1,64}$/u, 'must be the name of a query parameter, in lower case')
    .default(name)

const header = z
  .string('must be text')
  .max(8192, 'must have 8192 characters at most')
  .regex(/^[\t\x20-\x7E]*$/u, 'must be printable ASCII')

/** A place in the answer: names, separated by dots. */
const field = z
  .string('must be text')
  .regex(/^[^.]{1,64}(?:\.[^.]{1,64}){0,7}$/u, 'must be names separated by dots: data.token')

/** What HTTP itself says about a request is not for a configuration to say. */
const OWN_HEADERS = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te'])

const headers = z
  .record(z.string(), header)
  .refine((given) => Object.keys(given).every((name) => /^[A-Za-z0-9-]{1,100}$/u.test(name)), {
    error: 'must have names of letters, digits and dashes',
  })
  .refine((given) => Object.keys(given).every((name) => !OWN_HEADERS.has(name.toLowerCase())), {
    error: `must not set any of ${[...OWN_HEADERS].join(', ')}`,
  })
  .default({})

const httpSource = z
  .strictObject({
    type: z.literal('http'),
    url: z.string('must be a URL'),
    method: z.enum(['GET', 'POST'], 'must be GET or POST').default('GET'),
    headers,
    parameter: parameter(PARAMETER),
    tokenField: field.optional(),
    lifetimeField: field.optional(),
    lifetimeS: z.number('must be a number').int().min(10).max(86_400).default(300),
    allowHttp: z.boolean('must be true or false').default(false),
  })
  .superRefine(({ url, allowHttp }, context) => {
    const problem = urlProblem(url, allowHttp)
    if (problem !== undefined) context.addIssue({ code: 'custom', path: ['url'], message: problem })
  })

function urlProblem(text: string, allowHttp: boolean): string | undefined {
  if (!URL.canParse(text)) return 'is not a valid URL'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'must not contain credentials: give them in headers'
  if (url.hash !== '') return 'must not have a fragment'
  if (url.protocol === 'https:') return undefined
  if (url.protocol === 'http:' && (allowHttp || isLoopback(url.hostname))) return undefined
  return 'must be https; plain http is for loopback addresses, or for any with "allowHttp": true'
}

const fileSource = z.strictObject({
  type: z.literal('file'),
  path: z.string('must be a path').regex(/^\//u, 'must be an absolute path'),
  parameter: parameter(CLOUD_PARAMETER),
  everyS: z.number('must be a number').min(0.1).max(3600).default(5),
})

const staticSource = z.strictObject({
  type: z.literal('static'),
  value: z.string('must be text').refine((value) => tokenOfText(value) === value, 'must look like an access token'),
  parameter: parameter(PARAMETER),
})

export const tokenSourceSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('stable') }),
    z.strictObject({ type: z.literal('classic') }),
    httpSource,
    fileSource,
    staticSource,
    z.strictObject({ type: z.literal('none') }),
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union' ? 'must be stable, classic, http, file, static or none' : undefined,
  },
)

export type TokenSourceConfig = z.output<typeof tokenSourceSchema>

export const DEFAULT_TOKEN_SOURCE = { type: 'stable' } as const satisfies TokenSourceConfig

/** WeChat's own endpoints want the AppSecret; whoever has another source need not hand it out. */
export function needsSecret({ type }: TokenSourceConfig): boolean {
  return type === 'stable' || type === 'classic'
}
