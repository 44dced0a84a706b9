/** Walks through the names of keys, page by page: on a cluster on every master. SCAN may name one twice. */
import { Cluster, type Redis } from 'ioredis'
import type { Store } from './store.ts'

export async function* scanKeys(
  { redis }: Store,
  { pattern, count }: { pattern: string; count: number },
): AsyncGenerator<string[]> {
  const nodes: Redis[] = redis instanceof Cluster ? redis.nodes('master') : [redis]
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', String(count))
      yield found
      cursor = next
    } while (cursor !== '0')
  }
}
