/**
 * The apps that a worker serves, and how they change while it runs. An app whose configuration stays the same is not
 * touched; one that leaves fetches nothing more and ends what it has in flight; one that changes does that too, while its
 * successor fetches already. So for the time of a call both may have calls open, and no message waits for the change.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Trouble } from '@wechat-outbox/outbox/engine'
import type { AppConfig } from '@wechat-outbox/wechat'

export interface ServedApp {
  run(): Promise<void>
  /** What Redis refuses to record for it at present. */
  trouble(): Trouble | undefined
  /** Ends what is in flight, within a limit of its own. */
  close(): Promise<void>
}

export interface AppChanges {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

export interface AppSet {
  /** Those that are served now. */
  appids(): string[]
  /** What Redis refuses to record at present, of the first app of which it does. */
  trouble(): Trouble | undefined
  /** Serves these apps and no others. Resolves when new ones run, or have left; those that leave may still be ending. */
  become(apps: readonly AppConfig[]): Promise<AppChanges>
  /** Ends all of them, those that are leaving too. Whatever is asked afterwards is ignored. */
  close(): Promise<void>
}

export function createAppSet(serve: (app: AppConfig) => ServedApp): AppSet {
  const serving = new Map<string, { readonly app: AppConfig; readonly served: ServedApp }>()
  const leaving = new Set<Promise<void>>()
  let closed = false

  function leave(appid: string): void {
    const left = serving.get(appid)?.served.close()
    serving.delete(appid)
    if (left === undefined) return
    const ended = left.finally(() => leaving.delete(ended))
    // Closing the set waits for it too, and reports a fault.
    ended.catch(() => undefined)
    leaving.add(ended)
  }

  return {
    appids: () => [...serving.keys()],
    trouble: () => [...serving.values()].map(({ served }) => served.trouble()).find((trouble) => trouble !== undefined),
    // Without a pause between looking and changing: two changes at once come one after the other.
    async become(apps) {
      const none = { added: [], changed: [], removed: [] }
      if (closed) return none
      const wanted = new Map(apps.map((app) => [app.appid, app]))
      const removed = [...serving.keys()].filter((appid) => !wanted.has(appid))
      const added = apps.filter(({ appid }) => !serving.has(appid))
      const changed = apps.filter((app) => {
        const now = serving.get(app.appid)?.app
        return now !== undefined && !isDeepStrictEqual(now, app)
      })
      for (const appid of [...removed, ...changed.map((app) => app.appid)]) leave(appid)
      const starting = [...added, ...changed].map((app) => {
        const served = serve(app)
        serving.set(app.appid, { app, served })
        return served.run()
      })
      await Promise.all(starting)
      const appids = (list: readonly AppConfig[]): string[] => list.map(({ appid }) => appid)
      return { added: appids(added), changed: appids(changed), removed }
    },
    async close() {
      closed = true
      for (const appid of serving.keys()) leave(appid)
      await Promise.all(leaving)
    },
  }
}
