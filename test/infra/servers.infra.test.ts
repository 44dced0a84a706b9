// The same messages over each kind of server that docs/redis.md names. A program that is not on this machine is said to be missing:
// VALKEY_SERVER and OLD_REDIS_SERVER (6.2) name one that stands elsewhere.
import { afterAll, expect, it } from 'vitest'
import { play, table } from './support/scenario.ts'
import { findProgram, startOther, startTls, startWithAccessList } from './support/servers.ts'

const missing: string[] = []
afterAll(() => console.log([table(), ...missing].join('\n')))

const SAFE = { lost: 0, stuck: 0, outOfOrder: 0, doubles: 0, dead: 0, problems: '' }

it('TLS with a CA of one’s own', async () => {
  expect(await play('none, TLS', { start: startTls })).toMatchObject(SAFE)
})

it('the rights of docs/redis.md and no others', async () => {
  expect(await play('none, access list', { start: startWithAccessList })).toMatchObject(SAFE)
})

const others: [string, string | undefined][] = [
  ['Valkey', findProgram('valkey-server', 'VALKEY_SERVER')],
  ['Redis 6.2', findProgram('redis-server-6.2', 'OLD_REDIS_SERVER')],
]
for (const [name, program] of others) {
  if (program === undefined) missing.push(`${name} is not on this machine, and was not tried`)
  it.skipIf(program === undefined)(name, async () => {
    const start = (dir: string) => startOther(dir, program ?? '')
    expect(await play(`none, ${name}`, { start })).toMatchObject(SAFE)
  })
}
