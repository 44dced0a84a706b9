/** Which Mini Program a command is about: the one that is named, the environment's, or the only one there is. */
import { appidSchema } from '@wechat-outbox/messages'
import { readKnownApps, storeError } from '@wechat-outbox/outbox/engine'
import { UsageError } from './failure.ts'
import type { Session } from './session.ts'

/** @throws UsageError where that leaves none or several */
export async function chooseApp(session: Session, named: string | undefined): Promise<string> {
  const given = named ?? session.env().WECHAT_APP_ID
  if (given !== undefined) return checkAppid(given)
  const known = await knownApps(session)
  const [only] = known
  if (only !== undefined && known.length === 1) return only
  const hint = known.length === 0 ? 'no worker has served any yet' : `there are ${known.slice(0, 20).join(', ')}`
  throw new UsageError(`which app? Give --app wx… or set WECHAT_APP_ID (${hint})`)
}

/** Where something was looked for in vain, if nobody has named the app: it may be another one's. */
export function elsewhere(session: Session, named: string | undefined): string {
  if (named !== undefined) return ''
  const which =
    session.env().WECHAT_APP_ID === undefined ? 'the only app that workers have served' : 'the app of WECHAT_APP_ID'
  return `. That is ${which}: for another one give --app wx…`
}

/** What to say of a message that waits for a worker to come; undefined where one has come before, and where nobody may look. */
export async function neverServed(session: Session, appid: unknown): Promise<string | undefined> {
  if (typeof appid !== 'string') return undefined
  const known = await readKnownApps(await session.store(), undefined).catch(() => [appid])
  if (known.includes(appid)) return undefined
  return `no worker has ever served ${appid}; the message waits for one. Is the appid right?`
}

/** The environment's app, then every other that a process has served. */
export async function knownApps(session: Session): Promise<string[]> {
  const store = await session.store()
  return readKnownApps(store, session.env().WECHAT_APP_ID).catch((error: unknown) => {
    throw storeError(error)
  })
}

export function checkAppid(appid: string): string {
  if (!appidSchema.safeParse(appid).success) throw new UsageError('an appid must be wx and 16 hex digits')
  return appid
}
