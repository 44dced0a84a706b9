// A replica takes over while messages flow: by Sentinel and in a cluster, planned and not. Where a row promises that nothing is
// lost, producers wait for a replica (`durability: 'replicated'`): what only a dead primary had, nobody has.
import { afterAll, expect, it } from 'vitest'
import { startCluster } from './support/cluster.ts'
import { play, table } from './support/scenario.ts'
import { startSentinels } from './support/sentinel.ts'

afterAll(() => console.log(table()))

/** With connections that leave at once it is one to two seconds. Whoever stays with the old primary waits for eleven. */
const PLANNED_S_MAX = 8

const SAFE = { lost: 0, stuck: 0, outOfOrder: 0, doubles: 0, problems: '' }

it('Sentinel: a planned failover', async () => {
  const outcome = await play('Sentinel, planned failover', {
    start: startSentinels,
    durability: 'replicated',
    async fault(at) {
      const before = await at.primary()
      await at.failover()
      await at.failedOver(before)
    },
  })
  expect(outcome).toMatchObject(SAFE)
  expect(outcome.flowsAgainS).toBeLessThan(PLANNED_S_MAX)
})

it('Sentinel: the primary is killed', async () => {
  const outcome = await play('Sentinel, primary killed', {
    start: startSentinels,
    durability: 'replicated',
    async fault(at) {
      const before = await at.primary()
      await before.kill9()
      await at.failedOver(before)
    },
  })
  expect(outcome).toMatchObject(SAFE)
})

it('Sentinel: the primary stands still, another takes over, and the old one goes on', async () => {
  const outcome = await play('Sentinel, primary stands still', {
    start: startSentinels,
    durability: 'replicated',
    async fault(at) {
      const before = await at.primary()
      process.kill(before.pid, 'SIGSTOP')
      await at.failedOver(before).finally(() => process.kill(before.pid, 'SIGCONT'))
    },
  })
  // What WeChat has answered and a worker has heard is not sent again.
  expect(outcome).toMatchObject({ ...SAFE, doubles: expect.any(Number), doublesHeard: 0 })
})

it('a cluster: the master of the app is killed', async () => {
  const outcome = await play('cluster, master killed', {
    start: startCluster,
    durability: 'replicated',
    async fault(at) {
      const before = await at.ownerOfApp()
      await before.kill9()
      await at.failedOver(before)
      // Whoever waits for a replica waits for this one: there is no other.
      await at.startAgain(before)
    },
  })
  expect(outcome).toMatchObject(SAFE)
})

it('a cluster: the slot of the app moves to another master', async () => {
  const outcome = await play('cluster, slot moves', {
    start: startCluster,
    async fault(at) {
      await at.moveAppSlot()
    },
  })
  expect(outcome).toMatchObject(SAFE)
})
