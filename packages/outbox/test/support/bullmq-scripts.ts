/**
 * What is known of BullMQ's Lua scripts in the version that the outbox runs with: those that ours stand in for, and those
 * that work on the same keys because we call them, or dashboards and other programs do. After an upgrade this says in words
 * what has changed, before any test runs; then ours follow, the conformance test agrees, and KNOWN is written anew.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BULLMQ_VERSION } from '../../src/bullmq/layout.ts'

export interface KnownScripts {
  readonly version: string
  /** By name: how many keys a script takes, and the digest of its text without comments and blank lines. */
  readonly scripts: Readonly<Record<string, readonly [keys: number, digest: string]>>
}

export const KNOWN: KnownScripts = {
  version: BULLMQ_VERSION,
  scripts: {
    addDelayedJob: [6, '4f256bf81d9e668e'],
    addParentJob: [6, '3f3b27d82960c8a0'],
    addPrioritizedJob: [9, '5d6b51dadba96a56'],
    addStandardJob: [9, '2dccfda5eea607b7'],
    changeDelay: [4, 'fbcd73959a1708c2'],
    cleanJobsInSet: [3, 'ad1efe0db3099f03'],
    drain: [5, 'a214771666818620'],
    extendLock: [2, 'b93332f39a9e6740'],
    extendLocks: [1, '84c58ba350a5d902'],
    getCounts: [1, '04fb81c3c86a3ec7'],
    getRanges: [1, '16a756e3108dfc1b'],
    getState: [8, '861cb07ac00300a8'],
    getStateV2: [8, '782cddd66af5acc0'],
    isFinished: [3, '06253a5ef2e18770'],
    isMaxed: [2, '0afbfcd0a822b059'],
    moveJobFromActiveToWait: [9, 'b1458fe68e02b464'],
    moveJobsToWait: [8, '64fbc7201e274597'],
    moveStalledJobsToWait: [9, '845f64e90d3f2996'],
    moveToActive: [11, '67871e6d4ccf4952'],
    moveToDelayed: [11, 'f22bacdd01bdecb9'],
    moveToFinished: [14, 'fbdb21c973e6f0e3'],
    moveToWaitingChildren: [7, '1a233de756548675'],
    obliterate: [2, '5adbc0c3e027ff0e'],
    pause: [7, 'bf09ca8d22360aff'],
    promote: [9, '3bd48753b92f314e'],
    releaseLock: [1, 'd963f6e9a4575de2'],
    removeJob: [2, '29a094f4b174ca25'],
    reprocessJob: [9, '315525f6b583549a'],
    retryJob: [11, '56e1250730684742'],
  },
}

export const BULLMQ_FOLDER = join(import.meta.dirname, '../../node_modules/bullmq')

/** A generated file has one script: its text, its name, how many keys it takes. */
const SCRIPT = /const content = `([\s\S]*?)`;[\s\S]*name: '(\w+)',[\s\S]*keys: (\d+)/

/** The scripts of a BullMQ that is installed in a folder. */
export async function readScripts(folder: string): Promise<KnownScripts> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
  const inScripts = join(folder, 'dist/esm/scripts')
  const files = (await readdir(inScripts)).filter((file) => /^\w+-\d+\.js$/.test(file))
  const texts = await Promise.all(files.map((file) => readFile(join(inScripts, file), 'utf8')))
  const scripts = texts.flatMap((text): [string, [number, string]][] => {
    const [, content = '', name, keys] = SCRIPT.exec(text) ?? []
    return name === undefined ? [] : [[name, [Number(keys), digestOf(content)]]]
  })
  return { version: manifest.version, scripts: Object.fromEntries(scripts) }
}

/** Comments say nothing to Redis. */
export function digestOf(lua: string): string {
  const bare = lua.replaceAll(/--\[\[[\s\S]*?\]\]/g, '').replaceAll(/--.*$/gm, '')
  const lines = bare.split('\n').map((line) => line.trim())
  return createHash('sha256')
    .update(lines.filter((line) => line !== '').join('\n'))
    .digest('hex')
    .slice(0, 16)
}

/** What is installed that is not known, a sentence each; empty where nothing has changed. */
export function changesOf(installed: KnownScripts, known: KnownScripts = KNOWN): string[] {
  const changes: string[] = []
  if (installed.version !== known.version)
    changes.push(`BullMQ ${installed.version} is installed, ${known.version} is known.`)
  for (const [name, [keys, digest]] of Object.entries(known.scripts)) {
    const script = installed.scripts[name]
    if (script === undefined) changes.push(`${name} is gone.`)
    else if (script[0] !== keys) changes.push(`${name} takes ${script[0]} keys, not ${keys}.`)
    else if (script[1] !== digest) changes.push(`${name} has changed.`)
  }
  return changes
}

/** @throws with those sentences */
export async function checkScripts(folder = BULLMQ_FOLDER): Promise<void> {
  const changes = changesOf(await readScripts(folder))
  if (changes.length === 0) return
  throw new Error(`${changes.join(' ')} See packages/outbox/scripts/README.md.`)
}
