// A worker that starts while Redis answers and refuses: what it needs not, it starts without; what it needs, its start rejects for, and it can
// be closed then.
import { expect, it, vi } from 'vitest'
import { openStore } from '../../src/redis/store.ts'
import { connectThroughProxy } from '../support/proxied.ts'
import { whileRefusing } from '../support/refusals.ts'
import { delivering, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

it('serves an app although Redis was busy with a script when it began', async () => {
  const sent: string[] = []
  await whileRefusing(world.url, { how: 'BUSY', ms: 0 }, async () => {
    const { problems } = await world.consumer(delivering(sent))
    expect(problems).toContainEqual({ what: 'measuring the clock', error: expect.stringContaining('BUSY') })
  })
  const [id = ''] = await world.accept([text('o-one')])
  await vi.waitFor(() => expect(sent).toEqual([id]), WAIT_MS)
})

it('says so where it cannot start, and can be closed', async () => {
  const { proxy, client } = await connectThroughProxy(world)
  const store = await openStore(client)
  proxy.setOnCommand(([name = '']) => (name.toLowerCase() === 'info' ? { refuse: 'BUSY Redis is busy' } : undefined))
  // As on a Redis Cluster: with connections of its own, which ask for INFO first.
  await expect(world.consumer(delivering([]), { store, sharedWait: undefined })).rejects.toThrow('BUSY')
  proxy.setOnCommand()
  // The world closes it, and waits for that.
})
