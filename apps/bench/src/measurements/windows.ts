/**
 * What reply windows cost: the same sends to people of whom each has an open window in the ledger, by messages that may wait for their
 * users, beside sends of an app for which no action was ever reported.
 */
import { type Measurement, pick } from '../measurement.ts'
import { atLeast, beside, compared } from '../row.ts'
import { inTurns } from '../stats.ts'
import { type Sent, takeTurn } from '../turn.ts'

const NAME = 'sends-windows'
const COUNT = 50_000

export const sendsWindows: Measurement = {
  name: NAME,
  rows: [NAME, `${NAME}/commands`],
  async run(world, size) {
    const count = pick(size, COUNT, 500)
    const far = await world.far()
    const redis = await world.redis()
    const shape = { kind: 'distinct' } as const
    const sent = await inTurns(size.turns, ['with', 'without'], async (windows) => {
      const turn = { side: 'outbox', redis, far, shape, count, hasWindows: windows === 'with' } as const
      const taken = await takeTurn(world, turn)
      // What other processes on the machine take changes the rate, and hardly this.
      const us = [taken.workerUs, taken.redisUs].map(Math.round).join(' and ')
      size.progress(`${NAME} ${windows} ${Math.round(taken.perSecond)}/s, worker and Redis ${us} µs`)
      return taken
    })
    const figure = (side: 'with' | 'without', of: (sent: Sent) => number) => sent[side].map(of)
    const rate = ({ perSecond }: Sent): number => perSecond
    const commands = (turn: Sent): number => turn.commands
    const what = 'Sends to people with an open reply window, which may wait for them, beside sends without any window'
    return [
      compared(
        { name: NAME, what, unit: 'messages/s', target: atLeast(0.95) },
        figure('with', rate),
        figure('without', rate),
      ),
      beside(
        { name: `${NAME}/commands`, what: '… commands in Redis per message', unit: 'commands' },
        figure('with', commands),
        figure('without', commands),
      ),
    ]
  },
}
