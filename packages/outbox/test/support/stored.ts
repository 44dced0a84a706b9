/**
 * What an earlier version has stored, put into a Redis as if its processes had ended some time ago. Only the format of that
 * version is known here, and it does not change any more: nothing of what stores today is used.
 */
import { readFile } from 'node:fs/promises'
import type { SendRequest } from '@wechat-outbox/messages'
import type { RedisClient } from '../../src/engine.ts'

export interface StoredMessage {
  readonly what: string
  readonly touser: string
  /** What was told of it at the dump; `none`: it was no longer retained. */
  readonly status: string
  readonly end: {
    readonly status: string
    readonly reason?: string
    readonly replayedAs?: string
    /** Whether its receiver of callbacks is told. */
    readonly told?: boolean
  }
}

/** `fields` in the file describes it. */
export interface About {
  readonly dumpedAt: number
  readonly messages: Readonly<Record<string, StoredMessage>>
  readonly calls: Readonly<Record<string, readonly string[]>>
  readonly repeats: readonly { readonly id: string; readonly request: SendRequest }[]
  readonly tomorrow: string
}

type StoredKey = { readonly ttlMs?: number } & (
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'list' | 'set'; readonly value: readonly string[] }
  | { readonly type: 'hash'; readonly value: Readonly<Record<string, string>> }
  | { readonly type: 'zset'; readonly value: Readonly<Record<string, number>> }
)

interface StoredFile {
  readonly about: About
  readonly keys: Readonly<Record<string, StoredKey>>
  /** The Lua scripts of that version that `calls` are made of. */
  readonly scripts?: Readonly<Record<string, string>>
  readonly calls?: Readonly<Record<string, StoredCall>>
}

interface StoredCall {
  readonly script: string
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

/** The score of a delayed job holds its time in the bits above these. */
const DELAYED_FACTOR = 4096
const EPOCH_MS = /(?<![0-9A-Za-z])1\d{12}(?![0-9A-Za-z])/g
const ISO_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g

/** Fills an empty Redis with a fixture. Everything in it was stored so that it was dumped `agoMs` before now. */
export async function restoreStored(redis: RedisClient, fixture: string, agoMs: number): Promise<About> {
  const { about, keys } = await readStored(fixture)
  const byMs = Date.now() - agoMs - about.dumpedAt
  for (const [name, key] of Object.entries(keys)) {
    const leftMs = key.ttlMs === undefined ? undefined : key.ttlMs - agoMs
    if (leftMs !== undefined && leftMs <= 0) continue
    await restoreKey(redis, { name, key, byMs })
    if (leftMs !== undefined) await redis.pexpire(name, leftMs)
  }
  return about
}

/** What a process of the earlier version that still runs does next, by name: with its own script, and the keys and arguments that it made. */
export async function olderProcess(
  redis: RedisClient,
  fixture: string,
  agoMs: number,
): Promise<(name: string) => Promise<unknown>> {
  const { about, scripts = {}, calls = {} } = await readStored(fixture)
  const byMs = Date.now() - agoMs - about.dumpedAt
  return (name) => {
    const { script = '', keys = [], args = [] } = calls[name] ?? {}
    return redis.eval(scripts[script] ?? '', keys.length, ...keys, ...args.map((text) => movedText(text, byMs)))
  }
}

async function readStored(fixture: string): Promise<StoredFile> {
  return JSON.parse(await readFile(new URL(`../fixtures/${fixture}`, import.meta.url), 'utf8')) as StoredFile
}

async function restoreKey(redis: RedisClient, at: { name: string; key: StoredKey; byMs: number }): Promise<void> {
  const { name, key, byMs } = at
  const moved = (text: string): string => movedText(text, byMs)
  switch (key.type) {
    case 'string':
      return void (await redis.set(name, moved(key.value)))
    case 'list':
      return void (await redis.rpush(name, ...key.value))
    case 'set':
      return void (await redis.sadd(name, ...key.value))
    case 'hash':
      return void (await redis.hset(
        name,
        ...Object.entries(key.value).flatMap(([field, text]) => [field, moved(text)]),
      ))
    case 'zset': {
      const members = Object.entries(key.value)
      return void (await redis.zadd(name, ...members.flatMap(([member, score]) => [movedScore(score, byMs), member])))
    }
  }
}

function movedText(text: string, byMs: number): string {
  return text
    .replace(EPOCH_MS, (time) => `${Number(time) + byMs}`)
    .replace(ISO_TIME, (time) => new Date(Date.parse(time) + byMs).toISOString())
}

/** A score is a time, the time of a delayed job, or neither. */
function movedScore(score: number, byMs: number): number {
  if (score > 1e15) return score + byMs * DELAYED_FACTOR
  return score > 1e12 ? score + byMs : score
}
