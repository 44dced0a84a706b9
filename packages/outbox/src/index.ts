/**
 * What a service that sends needs: an `Outbox` and the errors it names. The workers, gateways and tools of this repository, which
 * read and settle what an Outbox stores, take the second entry, `engine.ts`, which is not published.
 */
export { OutboxError, type OutboxErrorCode } from './errors.ts'
export type { Cancellation } from './producer/cancel.ts'
export type { OutboxLink, OutboxOptions } from './producer/options.ts'
export { Outbox, type Receipt, type SendResult } from './producer/outbox.ts'
export type { OutboxSpan, OutboxTelemetry } from './producer/telemetry.ts'
