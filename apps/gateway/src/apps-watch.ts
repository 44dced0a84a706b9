/**
 * Which apps the dashboard shows: those that any worker has ever served, read from Redis every few seconds, the one from the
 * environment, and those for which something is stored although no worker serves them. New ones appear without a restart; while Redis is away those already shown stay.
 */
import { appsWithCallbacks, messageOf, readHolds, readKnownApps, readUnserved } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import { APPS_MAX } from './apps-max.ts'
import type { Board } from './board.ts'
import type { RedisLink } from './redis-link.ts'

const LOOK_EVERY_MS = 3000

export interface AppsWatch {
  stop(): void
}

export interface AppsWatchOptions {
  readonly link: RedisLink
  readonly board: Board
  readonly appid: string | undefined
  readonly log: Logger
}

export function watchApps({ link, board, appid, log }: AppsWatchOptions): AppsWatch {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let tooMany = false
  const show = async (): Promise<void> => {
    const store = await link.store()
    const [known, unserved] = await Promise.all([readKnownApps(store, appid), readUnserved(store)])
    const appids = [...new Set([...known, ...unserved.map((app) => app.appid)])]
    if (appids.length > APPS_MAX && !tooMany)
      log.warn({ event: 'dashboard.apps-cut', apps: appids.length, shown: APPS_MAX })
    tooMany = appids.length > APPS_MAX
    const shown = appids.slice(0, APPS_MAX)
    const [holds, callbacks] = await Promise.all([readHolds(store, shown), appsWithCallbacks(store, shown)])
    if (!stopped) board.show(shown, store, { holds, unserved, callbacks })
  }
  // One look after the other, however long one takes. The link itself says when Redis is away.
  const look = async (): Promise<void> => {
    clearTimeout(timer)
    if (link.redis.status === 'ready') {
      await show().catch((error: unknown) => log.debug({ event: 'dashboard.apps-unread', error: messageOf(error) }))
    }
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(() => void look(), LOOK_EVERY_MS).unref()
  }
  const onReady = (): void => void look()
  link.redis.on('ready', onReady)
  void look()
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
      link.redis.off('ready', onReady)
    },
  }
}
