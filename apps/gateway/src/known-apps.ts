/**
 * Which apps the gateway takes messages for: those that a worker has ever served. A message for a mistyped appid would be
 * acknowledged and wait for ever, and whoever sent it would not hear of that.
 *
 * An app that is known costs a look into memory. Another one is asked of Redis, because a worker may have begun to serve it a
 * moment ago; all who ask meanwhile share an answer, of which there are a few in a second, so that made-up appids cost
 * neither memory nor questions without limit.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { appidSchema } from '@wechat-outbox/messages'
import { OutboxError } from '@wechat-outbox/outbox'
import { readKnownApps, type Store, within } from '@wechat-outbox/outbox/engine'
import type { FastifyReply, HookHandlerDoneFunction, onRequestHookHandler } from 'fastify'
import { type Problem, sendProblem } from './problem.ts'

const READ_EVERY_MS = 200
const READ_MS_MAX = 1500

export interface KnownApps {
  /** Whether the app is known as far as this process has read. */
  has(appid: string): boolean
  /** Whether it is known to Redis. @throws OutboxError WXO_UNAVAILABLE, or whatever the client says, while Redis is away */
  find(appid: string): Promise<boolean>
}

export interface KnownAppsOptions {
  /** @throws OutboxError WXO_UNAVAILABLE */
  readonly store: () => Promise<Store>
  /** The app of the environment, known before any worker has served it. */
  readonly configured: string | undefined
  /** Takes every app for known. */
  readonly allowUnknown: boolean
}

export function createKnownApps({ store, configured, allowUnknown }: KnownAppsOptions): KnownApps {
  let known: ReadonlySet<string> = new Set(configured === undefined ? [] : [configured])
  let next: Promise<void> | undefined
  let startedAt = Number.NEGATIVE_INFINITY
  const read = async (): Promise<void> => {
    await delay(Math.max(0, startedAt + READ_EVERY_MS - performance.now()))
    // Whoever comes from now on waits for the reading after this one: a worker may have come since.
    next = undefined
    startedAt = performance.now()
    const apps = await within(readKnownApps(await store(), configured), READ_MS_MAX, null)
    if (apps === null) throw new OutboxError('WXO_UNAVAILABLE', 'Redis did not answer in time')
    known = new Set(apps)
  }
  return {
    has: (appid) => allowUnknown || known.has(appid),
    async find(appid) {
      if (allowUnknown || known.has(appid)) return true
      await (next ??= read())
      return known.has(appid)
    },
  }
}

/** A hook for routes that store messages: lets those through whose `:appid` is known, before a body is read. */
export function refuseUnknownApps(apps: KnownApps): onRequestHookHandler {
  return (request, reply, done) => {
    const { appid } = request.params as { readonly appid: string }
    // What is no appid at all is refused as such.
    if (apps.has(appid) || !appidSchema.safeParse(appid).success) return done()
    void letThrough(apps.find(appid), reply, done)
  }
}

async function letThrough(found: Promise<boolean>, reply: FastifyReply, done: HookHandlerDoneFunction): Promise<void> {
  try {
    if (!(await found)) return void sendProblem(reply, UNKNOWN_APP)
  } catch (error) {
    return done(error as Error)
  }
  done()
}

const UNKNOWN_APP: Problem = {
  status: 404,
  code: 'unknown-app',
  detail: 'No worker has ever served this app, so its messages would wait for ever. Is the appid right?',
}
