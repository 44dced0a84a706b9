/** Which Mini Programs a worker serves: one from two variables, or several from a file. */
import { appidSchema } from '@wechat-outbox/messages'
import { readListFile } from '@wechat-outbox/runtime'
import { type AppConfig, appsFileSchema } from '@wechat-outbox/wechat'

export interface AppVariables {
  readonly WECHAT_APP_ID?: string | undefined
  readonly WECHAT_APP_SECRET?: string | undefined
  readonly WECHAT_APPS_FILE?: string | undefined
}

/** Never throws: what is wrong comes back as sentences, none of which holds a secret. */
export function readApps(given: AppVariables): { apps: AppConfig[]; problems: string[] } {
  // An empty variable is a missing one.
  const env: AppVariables = Object.fromEntries(Object.entries(given).filter(([, value]) => value))
  const file = { variable: 'WECHAT_APPS_FILE', path: env.WECHAT_APPS_FILE, schema: appsFileSchema }
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
