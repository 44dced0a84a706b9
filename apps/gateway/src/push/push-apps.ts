/**
 * For which apps the gateway takes WeChat's pushes: the one of the environment, and those of the apps file that have a `push`. The gateway
 * reads nothing else of that file, so the secrets need not stand in its copy.
 */
import { ConfigError, type Logger, readListFile } from '@wechat-outbox/runtime'
import { type PushConfig, secretlessAppsFileSchema } from '@wechat-outbox/wechat'
import { onReread } from '../reread.ts'

export interface PushVariables {
  readonly WECHAT_APP_ID?: string | undefined
  readonly WECHAT_APPS_FILE?: string | undefined
  readonly PUSH_TOKEN?: string | undefined
  readonly PUSH_AES_KEY?: string | undefined
  readonly PUSH_FORWARD_URL?: string | undefined
}

export interface PushApps {
  find(appid: string): PushConfig | undefined
  close(): void
}

/** Never throws: what is wrong comes back as sentences that hold no value. */
export function readPushApps(given: PushVariables): { apps: Map<string, PushConfig>; problems: string[] } {
  const { WECHAT_APP_ID: own, PUSH_TOKEN: token, PUSH_AES_KEY: aesKey, PUSH_FORWARD_URL: forwardUrl } = given
  const problems: string[] = []
  const apps = new Map<string, PushConfig>()
  if (token !== undefined && own !== undefined) apps.set(own, { token, aesKey, forwardUrl })
  const file = { variable: 'WECHAT_APPS_FILE', path: given.WECHAT_APPS_FILE, schema: secretlessAppsFileSchema }
  const read = readListFile(file)
  problems.push(...read.problems)
  for (const { appid, push } of read.entries) {
    if (push === undefined) continue
    if (apps.has(appid)) problems.push(`the push of ${appid} is configured twice`)
    apps.set(appid, push)
  }
  return { apps, problems }
}

/** @throws ConfigError with every problem */
export function openPushApps(variables: PushVariables, log: Logger): PushApps {
  let { apps, problems } = readPushApps(variables)
  if (problems.length > 0) throw new ConfigError(problems)
  const close = onReread(variables.WECHAT_APPS_FILE, () => {
    const read = readPushApps(variables)
    if (read.problems.length > 0) {
      log.error({ event: 'push-apps.refused', problems: read.problems, kept: apps.size })
      return
    }
    apps = read.apps
    log.info({ event: 'push-apps.loaded', apps: apps.size })
  })
  return { find: (appid) => apps.get(appid), close }
}
