/**
 * A Mini Program as `WECHAT_APPS_FILE` lists it: the worker serves those, `wxo doctor` tries their credentials, and the gateway
 * takes their pushes.
 */
import { appidSchema, ON_CLOSED } from '@wechat-outbox/messages'
import { z } from 'zod'
import { callbackSchema } from './callback-schema.ts'
import { pushSchema } from './push-schema.ts'
import { DEFAULT_TOKEN_SOURCE, needsSecret, tokenSourceSchema } from './token-source-schema.ts'

const fields = {
  appid: appidSchema,
  secret: z.string().min(1, 'must not be empty').optional(),
  concurrency: z.number().int().min(1).max(10_000).optional(),
  maxPerSecond: z.number().int().min(1).max(100_000).optional(),
  token: tokenSourceSchema.optional(),
  push: pushSchema.optional(),
  callback: callbackSchema.optional(),
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

export const appsFileSchema = z.array(appSchema).min(1, 'lists no app')

/** The same for who gets no token with it: an app without a secret is no mistake. */
export const secretlessAppsFileSchema = z.array(appFields).min(1, 'lists no app')

export type AppConfig = z.output<typeof appSchema>
