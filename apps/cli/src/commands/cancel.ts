/** `wxo cancel`: takes messages back, as long as nothing of them can have reached WeChat. */
import { isMessageId } from '@wechat-outbox/messages'
import type { Command } from 'commander'
import { chooseApp } from '../apps.ts'
import { EXIT, UsageError } from '../failure.ts'
import { printable } from '../output.ts'
import type { Act } from '../program.ts'
import type { Session } from '../session.ts'
import { withApp } from './dead.ts'

export function addCancel(program: Command, act: Act): void {
  withApp(program.command('cancel'))
    .description('take messages back that are not sent yet; of a long text with the id of its first part, all parts')
    .argument('<id...>', 'm-…')
    .action((ids: string[], options: { app?: string }) => act((session) => cancel(session, ids, options)))
}

const MEANINGS = {
  cancelled: 'cancelled: it is not sent',
  'too-late': 'too late: it has ended, or something of it may have reached WeChat',
  unknown: 'unknown: there is no such message, or no longer',
} as const

/** In order, one after the other: with the first that cannot be asked for, the command ends. */
async function cancel(session: Session, ids: readonly string[], options: { app?: string }): Promise<number> {
  const wrong = ids.find((id) => !isMessageId(id))
  if (wrong !== undefined) throw new UsageError(`${wrong} is not the id of a message, such as m-4fZ8hQ2sVx0LmN6tRw1B`)
  const appid = await chooseApp(session, options.app)
  const outbox = await session.outbox()
  const { output } = session
  const results: { id: string; result: keyof typeof MEANINGS }[] = []
  for (const id of new Set(ids)) {
    const result = await outbox.cancel(id, appid)
    results.push({ id, result })
    if (!output.json) output.line(`${printable(id)}  ${output.style(STYLES[result], MEANINGS[result])}`)
  }
  if (output.json) output.document({ appid, results })
  return results.every(({ result }) => result === 'cancelled') ? EXIT.done : EXIT.failed
}

const STYLES = { cancelled: 'green', 'too-late': 'yellow', unknown: 'red' } as const
