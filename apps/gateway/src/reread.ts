/** Files of the operator's that are read again on SIGHUP and when they have changed, so that nothing needs a restart. */
import { unwatchFile, watchFile } from 'node:fs'

/** A look costs one stat, and it follows the links that Kubernetes puts into a mounted secret's place. */
const LOOK_EVERY_MS = 2000

/** Calls `reload` each time, until the returned function is called. Without a path: never. */
export function onReread(path: string | undefined, reload: () => void): () => void {
  if (!path) return () => undefined
  process.on('SIGHUP', reload)
  watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, reload)
  return () => {
    process.off('SIGHUP', reload)
    unwatchFile(path, reload)
  }
}
