/**
 * Whether Redis takes messages at present. One that answers may still refuse all that messages need: it wants replicas, is
 * full, cannot write its file, has become a replica, or its access list forbids scripts. So it is asked to do what storing a message
 * does: to run a script that writes.
 */
import { isRefusal } from '../errors.ts'
import { within } from '../within.ts'
import type { RedisClient } from './connection.ts'
import { PROBE_KEY } from './keys.ts'

/** `away` is also a Redis that has not answered within a second. */
export type RedisReadiness = 'ready' | 'refuses' | 'away'

const ANSWER_MS_MAX = 1000
const PROBE = "return redis.call('SET', KEYS[1], '1', 'PX', 1000)"

const underWay = new WeakMap<RedisClient, Promise<RedisReadiness>>()

/** Whoever asks while a question is under way gets its answer: probes cost Redis one command at a time, however many come. */
export async function readReadiness(client: RedisClient): Promise<RedisReadiness> {
  if (client.status !== 'ready') return 'away'
  const asked = underWay.get(client) ?? ask(client)
  return within(asked, ANSWER_MS_MAX, 'away' as const)
}

function ask(client: RedisClient): Promise<RedisReadiness> {
  const asked = client
    .eval(PROBE, 1, PROBE_KEY)
    .then(() => 'ready' as const)
    .catch((error: unknown) => (isRefusal(error) ? ('refuses' as const) : ('away' as const)))
    .finally(() => underWay.delete(client))
  underWay.set(client, asked)
  return asked
}
