// docs/redis.md lists every key of the outbox and no other. A key that is added without a line there fails here, and so
// does a line about a key that is gone.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { APPS_KEY, appKeys, PROBE_KEY, STORED_APPS_KEY, sharedWaitKey } from '../packages/outbox/src/redis/keys.ts'
import { ROOT } from '../scripts/run.ts'

const PART = '<…>'
/** Beginnings of keys, patterns and readers of keys, which are no keys themselves. */
const BEGINNINGS = [
  'prefix',
  'everyKey',
  'sendJobs',
  'deadJobs',
  'lanes',
  'lanePattern',
  'laneOf',
  'idempotency',
  'tasks',
  'windowsOf',
  'collapse',
  'callbackJobs',
]
/** Fields that are BullMQ's, and those of an idempotency record. */
const BULLMQ = ['name', 'data', 'opts', 'timestamp', 'delay', 'priority', 'atm', 'ats', 'processedOn', 'finishedOn']
const NO_MARKS = [...BULLMQ, 'returnvalue', 'failedReason', 'stacktrace', 'id', 'fp', 'status']
/** Values, and fields that are only read. */
const OTHERS = ['superseded', 'HSET', 'HSETNX', 'HINCRBY', '0', '1', 'user', 'delivered', 'parentKey', 'rjk', 'stc']
/** Fields of a reply window and of a task. */
const OF_OTHER_HASHES = ['used', 'filter']

const page = readFileSync(join(ROOT, 'docs/redis.md'), 'utf8')

/** The first cell of every row under a heading, without the table's own head. */
function rowsUnder(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell = '']) => cell)
}

function keysOfTheCode(): string[] {
  const members = Object.entries(appKeys(PART)).filter(([name]) => !BEGINNINGS.includes(name))
  // A key has one variable part, or two.
  const keys = members.map(([, key]) => (typeof key === 'function' ? key(PART, PART) : key))
  return [
    APPS_KEY,
    PROBE_KEY,
    STORED_APPS_KEY,
    sharedWaitKey(PART),
    ...keys,
    appKeys(PART).idempotency + PART,
    appKeys(PART).collapse + PART,
  ]
}

it('lists exactly the keys that the code has', () => {
  const documented = rowsUnder('Keys').map((key) => key.replaceAll(/<\w+>/g, PART))
  expect(documented.toSorted()).toEqual(keysOfTheCode().toSorted())
})

/** Fields that a line sets: of HSET, or of a table that HSET is given. */
const SETS = /'HSET(?:NX)?'|'HINCRBY', jobKey|^\s*(?:local )?(?:changed|fields)\b|^\s*'\w+', .*[,)]$/

it('lists exactly the marks that the scripts set in job hashes', () => {
  const scripts = globSync('packages/outbox/scripts/**/*.lua', { cwd: ROOT }).filter(
    (file) => !/token[-.]|tokens|hold|task|windows|callback/.test(file),
  )
  const lines = scripts
    .flatMap((file) => readFileSync(join(ROOT, file), 'utf8').split('\n'))
    .filter((line) => SETS.test(line))
  const fields = lines.flatMap((line) => [...line.matchAll(/'(\w+)'(?=, )/g)].map(([, field = '']) => field))
  const marks = new Set(fields.filter((field) => ![...NO_MARKS, ...OTHERS, ...OF_OTHER_HASHES].includes(field)))
  // Earlier versions wrote it, and it is read.
  marks.add('replayedAs')
  expect([...marks].toSorted()).toEqual(rowsUnder('Marks in job hashes').toSorted())
})
