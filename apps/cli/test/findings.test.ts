import type { Hold, KeptFailure } from '@wechat-outbox/outbox/engine'
import { expect, it } from 'vitest'
import { findingsOf, printFindings } from '../src/findings.ts'
import { createOutput } from '../src/output.ts'
import type { AppStatus, Overview } from '../src/overview.ts'
import { collector } from './world.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const MIB = 1024 * 1024

const COUNTS = { waiting: 0, active: 0, delayed: 0, prioritized: 0, completed: 0, failed: 0 }
const NO_CALLBACKS = { waiting: 0, delayed: 0, told: 0, givenUp: 0, hold: null }
const appOf = (appid: string, given: Partial<AppStatus> = {}): AppStatus => ({
  appid,
  send: COUNTS,
  deadLetter: COUNTS,
  oldestWaitingMs: null,
  waitingForUser: 0,
  deadLetters: 0,
  deadLetterCodes: { total: 0, counts: [], others: 0 },
  tasks: [],
  served: true,
  hold: null,
  token: null,
  tokenFailure: null,
  callbacks: NO_CALLBACKS,
  ...given,
})
const overviewOf = (given: Partial<Overview> = {}): Overview => ({
  health: {
    version: '7.2.0',
    appendOnly: true,
    appendFsync: 'everysec',
    evictionPolicy: 'noeviction',
    usedMemoryBytes: 10 * MIB,
    maxMemoryBytes: 100 * MIB,
  },
  apps: [],
  unserved: [],
  anyServed: true,
  nowMs: NOW,
  ...given,
})
const reason = {
  errcode: 40125,
  name: 'invalid-appsecret',
  errmsg: 'no',
  meaning: { en: 'Wrong.', zh: '错。' },
  source: '',
}
const heldFor = (cause: 'send' | 'token'): Hold => ({
  appid: 'wx1',
  pausedElsewhere: false,
  fault: { kind: 'suspended', cause, reason, since: NOW - 60_000, until: NOW + 30_000, probing: false },
})
const failure: KeptFailure = { failure: { errcode: 40125, detail: 'no' }, at: NOW - 20_000, until: NOW + 40_000 }
const kinds = (overview: Overview): string[] =>
  findingsOf(overview, 'en').map(({ kind, appid }) => (appid === undefined ? kind : `${kind} ${appid}`))

it('has nothing to say of an outbox that works', () => {
  const busy = appOf('wx1', { oldestWaitingMs: 300_000, send: { ...COUNTS, waiting: 5 } })
  expect(findingsOf(overviewOf({ apps: [busy] }), 'en')).toEqual([])
})

it('says the most severe first, whatever app it is of', () => {
  const { health } = overviewOf()
  const letters = { total: 9, counts: [{ key: '45015', count: 7 }], others: 2 }
  const paused: Hold = { appid: 'wx3', pausedElsewhere: false, operator: { since: NOW, why: '' } }
  const apps = [
    appOf('wx1', { deadLetterCodes: letters }),
    appOf('wx2', { oldestWaitingMs: 300_001, tokenFailure: failure }),
    appOf('wx3', { hold: paused }),
    appOf('wx4', { hold: { ...heldFor('send'), ...paused }, oldestWaitingMs: 999_999 }),
    appOf('wx5', { served: false, send: { ...COUNTS, delayed: 1 } }),
    appOf('wx6', { served: false }),
  ]
  const unserved = [{ appid: 'wx5', waiting: 1, wasServed: true }]
  const full = { ...health, appendOnly: false, usedMemoryBytes: 91 * MIB }
  expect(kinds(overviewOf({ health: full, apps, unserved }))).toEqual([
    'redis',
    'memory',
    'unserved wx5',
    'suspended wx4',
    'token wx2',
    'waiting wx2',
    'paused wx3',
    'paused wx4',
    'dead-letters wx1',
    'idle wx6',
  ])
  expect(findingsOf(overviewOf({ apps }), 'en').find(({ kind }) => kind === 'dead-letters')?.message).toBe(
    '9 dead letters of wx1: 7 × 45015 reply-window-closed, 2 of other codes. `wxo dead ls --app wx1` lists them.',
  )
  // Once it has been said of all, it is not repeated of each.
  expect(kinds(overviewOf({ apps: [appOf('wx6', { served: false })], anyServed: false }))).toEqual(['no-worker'])
})

it('says once that an app is held for want of a token', () => {
  expect(kinds(overviewOf({ apps: [appOf('wx1', { hold: heldFor('token'), tokenFailure: failure })] }))).toEqual([
    'suspended wx1',
  ])
  expect(kinds(overviewOf({ apps: [appOf('wx1', { hold: heldFor('send'), tokenFailure: failure })] }))).toEqual([
    'suspended wx1',
    'token wx1',
  ])
})

it('prints twenty of a kind, and how many more there are', () => {
  const { stream, text } = collector()
  const output = createOutput({ json: false, lang: 'en' }, { stdout: stream, stderr: stream })
  const apps = Array.from({ length: 23 }, (_, n) => appOf(`wx${n}`, { served: false }))
  printFindings(output, findingsOf(overviewOf({ apps }), 'en'))
  const lines = text().trimEnd().split('\n')
  expect(lines).toHaveLength(21)
  expect(lines.at(-1)).toBe('  3 more of the kind idle: --json lists them all.')
})
