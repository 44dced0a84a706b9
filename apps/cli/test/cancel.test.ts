import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world?.close())

const cancel = (...args: string[]) => world.cli(['cancel', '--app', APP, ...args])
const send = async (content: string, more = {}) =>
  (await world.outbox.send({ touser: `o-${content}`, msgtype: 'text', text: { content }, ...more })).id

it('takes messages back, and says of each what became of it', async () => {
  const [one, two] = [await send('one'), await send('two', { sendAt: Date.now() + 3_600_000 })]
  const done = await cancel(one, two, one)
  expect(done).toMatchObject({ code: 0, stderr: '' })
  expect(done.stdout.split('\n')).toEqual([
    `${one}  cancelled: it is not sent`,
    `${two}  cancelled: it is not sent`,
    '',
  ])
  for (const id of [one, two]) expect(await world.outbox.status(id)).toMatchObject({ status: 'cancelled' })
  // Twice is once.
  expect(documentOf(await cancel(one, '--json'))).toEqual({ appid: APP, results: [{ id: one, result: 'cancelled' }] })
})

it('ends with 1 where one of them was sent or is not there, and takes the others back', async () => {
  const consumer = await world.consume()
  const sent = await send('sent')
  await vi.waitFor(async () => expect(await world.outbox.status(sent)).toMatchObject({ status: 'delivered' }), 30_000)
  await consumer.close(1000)
  const open = await send('open')
  const result = await cancel(sent, 'm-0123456789abcdefghij', open, '--json')
  expect(result.code).toBe(1)
  expect(documentOf(result)).toMatchObject({
    results: [
      { id: sent, result: 'too-late' },
      { id: 'm-0123456789abcdefghij', result: 'unknown' },
      { id: open, result: 'cancelled' },
    ],
  })
})

it('refuses what is no id of a message, before anything is done', async () => {
  const open = await send('kept')
  expect(await cancel(open, 'd-0123456789abcdefghij')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is not the id of a message'),
  })
  expect(await world.outbox.status(open)).toMatchObject({ status: 'queued' })
  expect(await cancel()).toMatchObject({ code: 2 })
})
