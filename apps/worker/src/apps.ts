/** Which Mini Programs a worker serves: one from two variables, or several from a file. */
import { appidSchema } from '@wechat-outbox/messages'
import { readListFile } from '@wechat-outbox/runtime'
import { type AppConfig, appsFileSchema, type CallbackConfig } from '@wechat-outbox/wechat'

export interface AppVariables {
  readonly WECHAT_APP_ID?: string | undefined
  readonly WECHAT_APP_SECRET?: string | undefined
  readonly WECHAT_APPS_FILE?: string | undefined
  readonly CALLBACK_URL?: string | undefined
  readonly CALLBACK_SECRET?: string | undefined
}

/** Never throws: what is wrong comes back as sentences, none of which holds a secret. */
export function readApps(given: AppVariables): { apps: AppConfig[]; problems: string[] } {
  // An empty variable is a missing one.
  const env: AppVariables = Object.fromEntries(Object.entries(given).filter(([, value]) => value))
  const file = { variable: 'WECHAT_APPS_FILE', path: env.WECHAT_APPS_FILE, schema: appsFileSchema }
  const { entries: apps, problems } = readListFile(file)
  const { WECHAT_APP_ID: appid, WECHAT_APP_SECRET: secret } = env
  if (appid !== undefined && secret !== undefined) {
    if (appidSchema.safeParse(appid).success) apps.push({ appid, secret, ...callbackOf(env) })
    else problems.push('WECHAT_APP_ID must be wx and 16 hex digits')
  } else if (appid !== undefined) problems.push('WECHAT_APP_SECRET is missing')
  else if (secret !== undefined) problems.push('WECHAT_APP_ID is missing')
  else if (env.WECHAT_APPS_FILE === undefined) {
    problems.push('WECHAT_APP_ID and WECHAT_APP_SECRET are missing (or WECHAT_APPS_FILE, for several apps)')
  }
  const twice = apps.filter(({ appid: id }, index) => apps.findIndex((other) => other.appid === id) < index)
  for (const { appid: id } of twice) problems.push(`${id} is configured twice`)
  problems.push(...callbackProblems(env))
  return { apps, problems }
}

function callbackOf({ CALLBACK_URL: url, CALLBACK_SECRET: secret }: AppVariables): { callback?: CallbackConfig } {
  return url === undefined || secret === undefined ? {} : { callback: { url, secret } }
}

/** Of the variables' presence. What they hold is looked at where they are read. */
function callbackProblems(env: AppVariables): string[] {
  const { CALLBACK_URL: url, CALLBACK_SECRET: secret, WECHAT_APP_ID: appid } = env
  if ((url === undefined) !== (secret === undefined)) {
    const [missing, given] =
      url === undefined ? ['CALLBACK_URL', 'CALLBACK_SECRET'] : ['CALLBACK_SECRET', 'CALLBACK_URL']
    return [`${missing} is missing: ${given} is of no use without it`]
  }
  return url !== undefined && appid === undefined
    ? ['WECHAT_APP_ID is missing: CALLBACK_URL is for the events of that app']
    : []
}
