// docs/redis.md lists every key of the outbox and no other. A key that is added without a line there fails here, and so
// does a line about a key that is gone.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { APPS_KEY, appKeys, sharedWaitKey } from '../packages/outbox/src/redis/keys.ts'
import { ROOT } from '../scripts/run.ts'

const PART = '<…>'
/** Beginnings of keys, patterns and readers of keys, which are no keys themselves. */
const BEGINNINGS = ['prefix', 'sendJobs', 'deadJobs', 'lanes', 'lanePattern', 'laneOf']
/** Fields that are BullMQ's, and those of an idempotency record. */
const NO_MARKS = ['failedReason', 'returnvalue', 'finishedOn', 'processedOn', 'atm', 'delay', 'id', 'fp']

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
  return [APPS_KEY, sharedWaitKey(PART), ...keys.map((key) => key.replace(/:idem:[\w-]{22}$/, `:idem:${PART}`))]
}

it('lists exactly the keys that the code has', () => {
  const documented = rowsUnder('Keys').map((key) => key.replaceAll(/<\w+>/g, PART))
  expect(documented.toSorted()).toEqual(keysOfTheCode().toSorted())
})

it('lists exactly the marks that the code sets in job hashes', () => {
  const scripts = globSync('packages/outbox/scripts/**/*.lua', { cwd: ROOT }).filter(
    (file) => !/token-|hold/.test(file),
  )
  const code = [...scripts, 'packages/outbox/src/worker/run.ts']
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n')
  const fields = [...code.matchAll(/'HSET', [^\n]*/g)].flatMap(([call]) =>
    [...call.matchAll(/, '(\w+)',/g)].map(([, field = '']) => field),
  )
  const withTheMove = /fields: \{ (\w+): '1' \}/.exec(code)?.[1] ?? ''
  const marks = new Set([...fields, withTheMove].filter((field) => !NO_MARKS.includes(field)))
  expect([...marks].toSorted()).toEqual(rowsUnder('Marks in job hashes').toSorted())
})
