// What the API accepted is delivered, in order, whoever dies in between: the gateway, Redis and the worker are killed and
// started again, each after the acceptance and before the delivery.
import { afterEach, expect, it, vi } from 'vitest'
import { APP, type System, startSystem } from './support/system.ts'

let system: System
afterEach(() => system.close())

async function send(gateway: string, n: number): Promise<{ id: string }> {
  const answer = await fetch(`${gateway}/v1/apps/${APP}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `"http-${n}"` },
    body: JSON.stringify({ touser: `o-http-${n % 3}`, msgtype: 'text', text: { content: `over http ${n}` } }),
  })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return (await answer.json()) as { id: string }
}

it('loses nothing that it accepted over restarts of everything', async () => {
  system = await startSystem({ workers: 0 })
  const first = await system.gateway()
  const ids: string[] = []
  for (let n = 0; n < 30; n += 1) ids.push((await send(first, n)).id)
  await system.workers[0]?.stop('SIGKILL')
  await system.restartRedis()
  const second = await system.gateway()
  // Repeating what may or may not have arrived is safe.
  for (let n = 20; n < 40; n += 1) ids.push((await send(second, n)).id)
  expect(new Set(ids).size).toBe(40)
  await system.worker()
  const read = async (id: string): Promise<{ status: string }> =>
    (await (await fetch(`${second}/v1/apps/${APP}/messages/${id}`)).json()) as { status: string }
  const delivered = async (): Promise<void> => {
    for (const id of new Set(ids)) expect(await read(id)).toMatchObject({ id, status: 'delivered' })
  }
  await vi.waitFor(delivered, { timeout: 30_000, interval: 200 })
  const bodies = (await system.fake.accepted('over http')).map(({ rawBody }) => JSON.parse(rawBody))
  expect(bodies).toHaveLength(40)
  for (let person = 0; person < 3; person += 1) {
    const order = bodies
      .filter(({ touser }) => touser === `o-http-${person}`)
      .map(({ text }) => Number(text.content.split(' ').at(-1)))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  }
}, 90_000)
