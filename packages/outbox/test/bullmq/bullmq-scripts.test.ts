// An upgrade of BullMQ says what has changed under our scripts before a test runs. Shown on copies of the installed package,
// of which each is another one after it.
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { BULLMQ_FOLDER, changesOf, checkScripts, digestOf, KNOWN, readScripts } from '../support/bullmq-scripts.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wxo-bullmq-'))
  for (const path of ['package.json', 'dist/esm/scripts'])
    await cp(join(BULLMQ_FOLDER, path), join(folder, path), { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function edit(path: string, from: string, to: string): Promise<void> {
  const file = join(folder, path)
  const text = await readFile(file, 'utf8')
  expect(text).toContain(from)
  await writeFile(file, text.replace(from, to))
}

const script = (name: string): string => `dist/esm/scripts/${name}.js`

it('knows the version that is installed, and each of its scripts', async () => {
  expect(changesOf(await readScripts(BULLMQ_FOLDER))).toEqual([])
  expect(Object.keys(KNOWN.scripts)).toEqual(expect.arrayContaining(['addStandardJob', 'moveToFinished']))
})

it('says in words what another version has changed', async () => {
  await edit('package.json', `"version": "${KNOWN.version}"`, '"version": "99.0.0"')
  await edit(script('moveToFinished-14'), 'keys: 14', 'keys: 15')
  await rename(join(folder, script('moveToFinished-14')), join(folder, script('moveToFinished-15')))
  await edit(script('addStandardJob-9'), 'rcall("INCR", KEYS[4])', 'rcall("INCRBY", KEYS[4], 1)')
  await rm(join(folder, script('promote-9')))
  await expect(checkScripts(folder)).rejects.toThrow(
    `BullMQ 99.0.0 is installed, ${KNOWN.version} is known. addStandardJob has changed. ` +
      'moveToFinished takes 15 keys, not 14. promote is gone. See packages/outbox/scripts/README.md.',
  )
})

it('takes no notice of what a script says in comments', async () => {
  await edit(script('moveToActive-11'), '-- get job data', '-- read the job')
  await edit(script('moveToActive-11'), 'Move next job to be processed', 'Take the next job')
  await expect(checkScripts(folder)).resolves.toBeUndefined()
})

it('tells scripts apart by each line that Redis runs', () => {
  expect(digestOf('--[[ a ]]\nlocal a = 1 -- one\n\n  return a\n')).toBe(digestOf('local a = 1\nreturn a'))
  expect(digestOf('local a = 1\nreturn a')).not.toBe(digestOf('local a = 2\nreturn a'))
})
