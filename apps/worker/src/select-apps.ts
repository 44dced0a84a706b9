/**
 * Which of the configured apps this worker serves. Several workers may serve the same app, and do by default; these two
 * settings are for dividing many apps between processes that would otherwise each keep all of them.
 */
import { createHash } from 'node:crypto'
import type { AppConfig } from '@wechat-outbox/wechat'

/** One of `of` parts, counted from 1. */
export interface Shard {
  readonly part: number
  readonly of: number
}

export interface Selection {
  readonly WORKER_APPS?: readonly string[] | undefined
  readonly WORKER_SHARD?: Shard | undefined
}

/** With both settings an app must be named and lie in the part. What is wrong is added to `problems`. */
export function selectApps(
  apps: readonly AppConfig[],
  { WORKER_APPS: names, WORKER_SHARD: shard }: Selection,
  problems: string[],
): AppConfig[] {
  for (const name of names ?? []) {
    if (!apps.some(({ appid }) => appid === name)) problems.push(`WORKER_APPS names ${name}, which is not configured`)
  }
  return apps.filter(
    ({ appid }) =>
      (names === undefined || names.includes(appid)) && (shard === undefined || partOf(appid, shard.of) === shard.part),
  )
}

/**
 * The part that an app lies in: the first four bytes of the appid's SHA-256, as a number, modulo the number of parts. It
 * depends on nothing else, and so every worker, on any machine and after any change of the file, comes to the same answer.
 */
export function partOf(appid: string, parts: number): number {
  return (createHash('sha256').update(appid).digest().readUInt32BE() % parts) + 1
}

/** Reads `1/4`. */
export function parseShard(text: string): Shard | undefined {
  const [, part = 0, of = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number)
  return part >= 1 && part <= of ? { part, of } : undefined
}
