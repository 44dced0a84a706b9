/**
 * What callbacks cost whose receiver is dead: every outcome adds an event, and none of them is taken. Beside the same sends of an app that
 * tells nobody.
 */
import { freeLoopbackPort } from '@wechat-outbox/sandbox'
import { type Measurement, pick } from '../measurement.ts'
import { atLeast, beside, compared } from '../row.ts'
import { inTurns } from '../stats.ts'
import { type Sent, takeTurn } from '../turn.ts'

const NAME = 'sends-callbacks'
const COUNT = 50_000
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

const PARTS: Readonly<Record<string, string>> = {
  commands: 'commands in Redis per message',
  redis: 'CPU of Redis per message',
  worker: 'CPU of the worker per message',
}

export const sendsCallbacks: Measurement = {
  name: NAME,
  rows: [NAME, `${NAME}/commands`, `${NAME}/redis`, `${NAME}/worker`],
  async run(world, size) {
    const count = pick(size, COUNT, 500)
    const far = await world.far()
    const redis = await world.redis()
    const shape = { kind: 'distinct' } as const
    // Nobody listens there.
    const url = `http://127.0.0.1:${await freeLoopbackPort()}/`
    const told = { CALLBACK_URL: url, CALLBACK_SECRET: SECRET, CALLBACK_ALLOWED_HOSTS: '127.0.0.1', LOG_LEVEL: 'error' }
    const sent = await inTurns(size.turns, ['with', 'without'], async (callbacks) => {
      const env = callbacks === 'with' ? told : { LOG_LEVEL: 'error' }
      const taken = await takeTurn(world, { side: 'outbox', redis, far, shape, count, env })
      size.progress(`${NAME} ${callbacks} ${Math.round(taken.perSecond)}/s`)
      return taken
    })
    const figure = (side: 'with' | 'without', of: (sent: Sent) => number) => sent[side].map(of)
    const rate = ({ perSecond }: Sent): number => perSecond
    const what = 'Sends whose outcomes are told to a receiver that is dead, beside sends that are told to nobody'
    const besides = (name: string, unit: string, value: (sent: Sent) => number) =>
      beside(
        { name: `${NAME}/${name}`, what: `… ${PARTS[name]}`, unit },
        figure('with', value),
        figure('without', value),
      )
    return [
      compared(
        { name: NAME, what, unit: 'messages/s', target: atLeast(0.97) },
        figure('with', rate),
        figure('without', rate),
      ),
      besides('commands', 'commands', ({ commands }) => commands),
      besides('redis', 'µs', ({ redisUs }) => redisUs),
      besides('worker', 'µs', ({ workerUs }) => workerUs),
    ]
  },
}
