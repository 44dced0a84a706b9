/**
 * Our scripts change what BullMQ stores, in the layout that BullMQ gives it. That layout is not part of its documented
 * surface and may change with any release; then two layouts would be mixed in the same keys. So the outbox runs
 * with one version alone, and says so before anything is read or written.
 *
 * `test/bullmq/conformance.test.ts` makes each step twice, by BullMQ's own method and by ours, and compares what they leave;
 * `test/support/bullmq-scripts.ts` knows the scripts of this version by their digests. Both go with an upgrade.
 */
import { OutboxError } from '../errors.ts'

export const BULLMQ_VERSION = '6.7.0'

/** @throws OutboxError WXO_CONFIG */
export function checkBullmq(installed: string): void {
  if (installed === BULLMQ_VERSION) return
  throw new OutboxError(
    'WXO_CONFIG',
    `BullMQ ${installed} is installed, and this outbox knows how BullMQ ${BULLMQ_VERSION} lays out its keys: install that version`,
  )
}
