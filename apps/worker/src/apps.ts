/** Which Mini Programs a worker serves: one from two variables, or several from a file. */
import { appidSchema, ON_CLOSED } from '@wechat-outbox/messages'
import { readListFile } from '@wechat-outbox/runtime'
import { z } from 'zod'
import { DEFAULT_TOKEN_SOURCE, needsSecret, tokenSourceSchema } from './token-source-schema.ts'

const fields = {
  appid: appidSchema,
  secret: z.string().min(1, 'must not be empty').optional(),
  concurrency: z.number().int().min(1).max(10_000).optional(),
  maxPerSecond: z.number().int().min(1).max(100_000).optional(),
  token: tokenSourceSchema.optional(),
  onClosed: z.enum(ON_CLOSED).optional(),
}

/** Names the fields that there are, and not the one that is not: where a slip was made, its name may be the secret. */
const unknownField = ({ code }: { code: string }): string | undefined =>
  code === 'unrecognized_keys' ? `has a field other than ${Object.keys(fields).join(', ')}` : undefined

const appFields = z.strictObject(fields, { error: unknownField })

const appSchema = appFields.superRefine(({ secret, token = DEFAULT_TOKEN_SOURCE }, context) => {
  if (secret === undefined && needsSecret(token)) {
    context.addIssue({ code: 'custom', path: ['secret'], message: `is missing, and ${token.type} tokens need it` })
  }
})

const fileSchema = z.array(appSchema).min(1, 'lists no app')

export type AppConfig = z.output<typeof appSchema>

export interface AppVariables {
  readonly WECHAT_APP_ID?: string | undefined
  readonly WECHAT_APP_SECRET?: string | undefined
  readonly WECHAT_APPS_FILE?: string | undefined
}

/** Never throws: what is wrong comes back as sentences, none of which holds a secret. */
export function readApps(given: AppVariables): { apps: AppConfig[]; problems: string[] } {
  // An empty variable is a missing one.
  const env: AppVariables = Object.fromEntries(Object.entries(given).filter(([, value]) => value))
  const file = { variable: 'WECHAT_APPS_FILE', path: env.WECHAT_APPS_FILE, schema: fileSchema }
  const { entries: apps, problems } = readListFile(file)
  const { WECHAT_APP_ID: appid, WECHAT_APP_SECRET: secret } = env
  if (appid !== undefined && secret !== undefined) {
    if (appidSchema.safeParse(appid).success) apps.push({ appid, secret })
    else problems.push('WECHAT_APP_ID must be wx and 16 hex digits')
  } else if (appid !== undefined) problems.push('WECHAT_APP_SECRET is missing')
  else if (secret !== undefined) problems.push('WECHAT_APP_ID is missing')
  else if (env.WECHAT_APPS_FILE === undefined) {
    problems.push('WECHAT_APP_ID and WECHAT_APP_SECRET are missing (or WECHAT_APPS_FILE, for several apps)')
  }
  const twice = apps.filter(({ appid: id }, index) => apps.findIndex((other) => other.appid === id) < index)
  for (const { appid: id } of twice) problems.push(`${id} is configured twice`)
  return { apps, problems }
}
