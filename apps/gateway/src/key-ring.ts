/**
 * The keys that are valid now. The file is read again on SIGHUP and when it has changed, so that a key can be taken away
 * without a restart; one that is not good is refused as a whole, and the keys of before stay.
 */
import { timingSafeEqual } from 'node:crypto'
import { ConfigError, type Logger } from '@wechat-outbox/runtime'
import { type Key, type KeyVariables, readKeys } from './keys.ts'
import { onReread } from './reread.ts'

export interface KeyRing {
  /** Whether keys are asked for at all. */
  readonly required: boolean
  find(digest: Buffer): Key | undefined
  byId(id: string): Key | undefined
  close(): void
}

/** @throws ConfigError with every problem */
export function openKeyRing(variables: KeyVariables, log: Logger): KeyRing {
  const { GATEWAY_API_KEYS: list, GATEWAY_KEYS_FILE: path } = variables
  let { keys, problems } = readKeys(variables)
  if (problems.length > 0) throw new ConfigError(problems)
  const close = onReread(path, () => {
    const read = readKeys(variables)
    if (read.problems.length > 0) {
      log.error({ event: 'keys.refused', problems: read.problems, kept: keys.length })
      return
    }
    keys = read.keys
    log.info({ event: 'keys.loaded', ids: keys.map(({ id }) => id) })
  })
  return {
    required: Boolean(list || path),
    find(digest) {
      // All of them are compared, so that the time does not disclose which one is near.
      let found: Key | undefined
      for (const key of keys) if (timingSafeEqual(key.digest, digest)) found = key
      return found
    },
    byId: (id) => keys.find((key) => key.id === id),
    close,
  }
}
