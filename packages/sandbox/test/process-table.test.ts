import { expect, it } from 'vitest'
import { parentFromStat, processEntry } from '../src/process-table.ts'

it.each([
  ['4242 (node) S 17 4242 1 0', 17],
  ['4242 (Web Content (2) S 99) R 18 4242 1 0', 18],
  ['4242 () ) S 19 1 1', 19],
  ['', null],
])('reads the parent from %j', (stat, ppid) => expect(parentFromStat(stat)).toBe(ppid))

it('knows this process and no process that is not there', async () => {
  expect(await processEntry(process.pid)).toMatchObject({ pid: process.pid, ppid: process.ppid })
  expect((await processEntry(process.pid))?.args.join(' ')).toContain('node')
  expect(await processEntry(2 ** 30)).toBeNull()
})
