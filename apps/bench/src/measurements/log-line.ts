/** What the line per attempt costs: the same worker with LOG_LEVEL info, its output read through a pipe, and with warn. */
import { type Measurement, pick } from '../measurement.ts'
import { compared } from '../row.ts'
import { inTurns } from '../stats.ts'
import { takeTurn } from '../turn.ts'

export const logLine: Measurement = {
  name: 'log-line',
  rows: ['log-line', 'log-line/cpu'],
  async run(world, size) {
    const count = pick(size, 10_000, 500)
    const far = await world.far()
    const redis = await world.redis()
    const shape = { kind: 'distinct' } as const
    const sent = await inTurns(size.turns, ['info', 'warn'], async (level) => {
      const turn = await takeTurn(world, { side: 'outbox', redis, far, shape, count, env: { LOG_LEVEL: level } })
      size.progress(`log-line ${level} ${Math.round(turn.perSecond)}/s, ${Math.round(turn.workerUs)} µs`)
      return turn
    })
    const figure = (level: 'info' | 'warn', of: 'perSecond' | 'workerUs') => sent[level].map((turn) => turn[of])
    return [
      compared(
        { name: 'log-line', what: 'Sends with LOG_LEVEL info, a line per attempt, beside warn', unit: 'messages/s' },
        figure('info', 'perSecond'),
        figure('warn', 'perSecond'),
      ),
      compared(
        { name: 'log-line/cpu', what: '… CPU per message in the worker', unit: 'µs' },
        figure('info', 'workerUs'),
        figure('warn', 'workerUs'),
      ),
    ]
  },
}
