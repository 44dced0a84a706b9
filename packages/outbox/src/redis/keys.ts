/**
 * Every Redis key of the outbox. All keys of one app share a hash tag and so one slot of a Redis Cluster: scripts and
 * transactions over them work there, and apps spread over the shards. `docs/redis.md` describes what each holds.
 */
import { createHash } from 'node:crypto'

/** Set of the appids that a worker has ever served. The gateway takes messages for no others. */
export const APPS_KEY = 'wxo:apps'

/** Sorted set of the appids that a producer has stored messages for, by when it noted that; the latest ones. */
export const STORED_APPS_KEY = 'wxo:stored'

/** String, for a second: written to see whether Redis takes messages. */
export const PROBE_KEY = 'wxo:probe'

/** Sorted set, for an instant: ends a worker's command that waits for the queues of many apps, so that it waits for others. */
export const sharedWaitKey = (id: string): string => `wxo:wait:${id}`

export const SEND_QUEUE = 'send'
export const DEAD_LETTER_QUEUE = 'dead-letter'
export const CALLBACK_QUEUE = 'callback'

/** The prefix of an app's BullMQ queues, and of everything else that is the app's. */
export function appPrefix(appid: string): string {
  return `{wxo:${appid}}`
}

export type AppKeys = ReturnType<typeof appKeys>

export function appKeys(appid: string) {
  const prefix = appPrefix(appid)
  const sendJobs = `${prefix}:${SEND_QUEUE}:`
  const deadJobs = `${prefix}:${DEAD_LETTER_QUEUE}:`
  const lanes = `${prefix}:lane:`
  return {
    prefix,
    /** What SCAN matches every key of the app with. */
    everyKey: `${prefix}:*`,
    /** What BullMQ puts before a job's id and before its own lists. */
    sendJobs,
    sendJob: (id: string) => sendJobs + id,
    sendLock: (id: string) => `${sendJobs}${id}:lock`,
    sendMeta: `${sendJobs}meta`,
    sendId: `${sendJobs}id`,
    sendWait: `${sendJobs}wait`,
    sendPrioritized: `${sendJobs}prioritized`,
    sendActive: `${sendJobs}active`,
    sendDelayed: `${sendJobs}delayed`,
    sendCompleted: `${sendJobs}completed`,
    sendFailed: `${sendJobs}failed`,
    sendStalled: `${sendJobs}stalled`,
    sendEvents: `${sendJobs}events`,
    sendMarker: `${sendJobs}marker`,
    /** Sorted set: messages that wait for their users, by when they began to. Scripts make the key of the prefix. */
    sendAwaitingUser: `${sendJobs}awaiting-user`,
    deadJobs,
    deadJob: (id: string) => deadJobs + id,
    deadMeta: `${deadJobs}meta`,
    deadWait: `${deadJobs}wait`,
    deadMarker: `${deadJobs}marker`,
    deadFailed: `${deadJobs}failed`,
    /** What stands before a person in the key of a lane. */
    lanes,
    /** List: the unsettled messages of one person, oldest first. */
    lane: (touser: string) => lanes + touser,
    /** What SCAN matches every lane with: nothing in a prefix has a meaning in a pattern. */
    lanePattern: `${lanes}*`,
    /** Whose lane stands under a key. */
    laneOf: (key: string) => key.slice(lanes.length),
    /** Sorted set: the keys of lanes that have parked messages, by when they last moved. */
    parkedLanes: `${prefix}:lanes:held`,
    /** What stands before a digest in the key of an idempotency record, a hash {id, fp, status}, expiring. */
    idempotency: `${prefix}:idem:`,
    /** String, expiring: the last word on a message whose job is gone (cancelled, replayed, discarded). */
    ended: (id: string) => `${prefix}:ended:${id}`,
    /** Sorted set: dead letters that somebody has retried, by the acceptance of their messages, which stands in the members. */
    replaysDue: `${prefix}:replay:due`,
    /** Sorted set of the same letters by person: a member is the recipient, a colon, and the acceptance. */
    replaysDueOf: `${prefix}:replay:due:of`,
    /** String, expiring: when the app's next replay is due, if replays have a rate. */
    replayRate: `${prefix}:replay:rate`,
    /** String, expiring: when the app's next call is due, if it has a rate. */
    rate: `${prefix}:rate`,
    /** Hash: why the app is held, since when, and when it is probed next; absent while it is open. */
    hold: `${prefix}:hold`,
    /** String, expiring: a worker serves the app now. */
    served: `${prefix}:served`,
    /** Hash: faults in a row, by group. */
    faultsInARow: `${prefix}:faults`,
    /** Sorted set: ids of messages that have an `expiresAt`, by it. */
    expiring: `${prefix}:expiring`,
    ...groupedKeys(prefix),
  }
}

function groupedKeys(prefix: string) {
  return {
    ...deadKeys(prefix),
    ...windowKeys(prefix),
    ...taskKeys(prefix),
    ...tokenKeys(prefix),
    ...mediaKeys(prefix),
    ...callbackKeys(prefix),
  }
}

/** What lists dead letters. */
function deadKeys(prefix: string) {
  return {
    /** Sorted sets of dead-letter ids by time of death: all, those of one reason, of one person, of both. */
    deadByTime: `${prefix}:dead:time`,
    deadByReason: (reason: string) => `${prefix}:dead:errcode:${reason}`,
    deadByPerson: (touser: string) => `${prefix}:dead:to:${touser}`,
    deadByPersonAndReason: (touser: string, reason: string) => `${prefix}:dead:to:${touser}:errcode:${reason}`,
    /** The same: those whose content was removed. */
    deadWithoutContent: `${prefix}:dead:content-removed`,
  }
}

/** Of people: their reply windows, and what may replace what. */
function windowKeys(prefix: string) {
  return {
    /** What stands before a person in the key of a hash, expiring: the latest message of each collapse key. */
    collapse: `${prefix}:collapse:`,
    /** What stands before a person in the key of a reply window. */
    windowsOf: `${prefix}:window:`,
    /** Hash, expiring: what is known of a person's reply window. */
    window: (touser: string) => `${prefix}:window:${touser}`,
    /** String, expiring with the last of the app's reply windows: without it no script looks for one. */
    windows: `${prefix}:windows`,
  }
}

/** Bulk replays and discards. The keys of one task begin alike, so that scripts can make them of its id. */
function taskKeys(prefix: string) {
  const tasks = `${prefix}:task:`
  return {
    /** Sorted set: the ids of all tasks that are kept, by when they were started. */
    taskIds: `${prefix}:tasks`,
    /** Sorted set: the ids of tasks that a worker has something to do for, by when one last did. */
    tasksOpen: `${prefix}:tasks:open`,
    /** What stands before a task's id in its keys. */
    tasks,
    /** Hash: what was asked for, by whom, and how far it is; expiring once the task has ended. */
    task: (id: string) => tasks + id,
    /** Sorted set: the letters that are left to do, as in `replaysDue`; and by person, as in `replaysDueOf`. */
    taskLetters: (id: string) => `${tasks}${id}:letters`,
    taskLettersOf: (id: string) => `${tasks}${id}:letters:of`,
    /** Sorted set: the ids that the task was given, until they are among its letters. */
    taskGiven: (id: string) => `${tasks}${id}:given`,
    /** List, expiring: the letters that the task has replayed, the latest last. */
    taskReplayed: (id: string) => `${tasks}${id}:replayed`,
    /** String, expiring: when the task's next letter is due, if it has a rate. */
    taskRate: (id: string) => `${tasks}${id}:rate`,
  }
}

/** WeChat's token of the app, and the tokens that the gateway gives to SDKs. */
function tokenKeys(prefix: string) {
  return {
    /** String, expiring: the API key, by its id and a print of it, that a token of the gateway's entrance was given to. */
    access: (digest: string) => `${prefix}:access:${digest}`,
    /** Sorted set of the digests of one key's tokens, by their end. */
    accessOf: (holder: string) => `${prefix}:access:of:${holder}`,
    /** Hash {nonce, digest}, expiring: what a stable token is made of, and which one that is. */
    accessStable: (name: string) => `${prefix}:access:stable:${name}`,
    token: `${prefix}:token`,
    tokenLock: `${prefix}:token:lock`,
    tokenForced: `${prefix}:token:forced`,
    tokenForcedCount: `${prefix}:token:forced:count`,
    /** Hash: why the last fetch gave no token, and until when nobody asks again. */
    tokenFailure: `${prefix}:token:failure`,
    /** String, expiring: the gateway has reported a refused token, and reports none for a while. */
    tokenDoubted: `${prefix}:token:doubted`,
    /** String, expiring: when somebody last looked whether the credential works, and what came of it. */
    tokenChecked: `${prefix}:token:checked`,
    /** Channel: says that the token, or what is known of it, has changed. */
    tokenNews: `${prefix}:token:news`,
  }
}

/** Pictures, by the SHA-256 of their bytes in base64url. */
function mediaKeys(prefix: string) {
  return {
    /** String, expiring: the media id that WeChat has given a picture. */
    media: (sha256: string) => `${prefix}:media:${sha256}`,
    /** String, expiring: the fence of the process that uploads it. */
    mediaLock: (sha256: string) => `${prefix}:media:${sha256}:lock`,
  }
}

/** What is told to the app's receiver. Scripts make the keys of the prefix. */
function callbackKeys(prefix: string) {
  const callbackJobs = `${prefix}:${CALLBACK_QUEUE}:`
  return {
    callbackJobs,
    callbackJob: (id: string) => callbackJobs + id,
    callbackWait: `${callbackJobs}wait`,
    callbackDelayed: `${callbackJobs}delayed`,
    callbackCompleted: `${callbackJobs}completed`,
    callbackFailed: `${callbackJobs}failed`,
    callbackMarker: `${callbackJobs}marker`,
    /** Hash: why the receiver is told nothing, since when, and when it is tried next; or how often it has failed in a row. */
    callbackHold: `${callbackJobs}hold`,
    /** String: how many events were dropped because too many waited, until a worker has counted them. */
    callbackDropped: `${callbackJobs}dropped`,
    /** String: what is told when the app is no longer suspended. */
    callbackSuspended: `${callbackJobs}suspended`,
  }
}

/** The keys that storing a message takes, in the order of `send.lua` and `replay.lua`. */
export function storeKeys(keys: AppKeys): string[] {
  const { sendWait, sendMeta, sendId, sendDelayed, sendActive, sendEvents, sendMarker, parkedLanes, expiring } = keys
  return [sendWait, sendMeta, sendId, sendDelayed, sendActive, sendEvents, sendMarker, parkedLanes, expiring]
}

/** A caller's idempotency key may hold anything and be long, so its digest stands in Redis. */
export function idempotencyDigest(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 22)
}
