// What only the pool's own handler can be asked: a process that stood still hears of a new connection before its timers.
import { Pool } from 'undici'
import { expect, it } from 'vitest'
import { Call, type Exchanged } from '../src/call.ts'
import { OK, rawServer } from './support/raw-server.ts'

it('writes nothing once its time is over, whoever has noticed that first', async () => {
  const server = await rawServer({ onRequest: (socket) => void socket.write(OK) })
  const pool = new Pool(server.url)
  const exchange = (deadline: number): Promise<Exchanged> =>
    new Promise((settled) => {
      const call = new Call({ deadline, answerBytesMax: 1000, settled, released: () => undefined })
      call.dispatched()
      pool.dispatch({ method: 'POST', path: '/', body: '{}' }, call)
    })
  const late = { kind: 'broken', written: false, detail: 'timeout while connecting' }
  expect(await exchange(performance.now())).toEqual(late)
  expect(await exchange(performance.now() + 60_000)).toMatchObject({ kind: 'answer', status: 200 })
  // The connection stands now.
  expect(await exchange(performance.now())).toEqual(late)
  expect(server.requests).toHaveLength(1)
  await pool.destroy()
})
