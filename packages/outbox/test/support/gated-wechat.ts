import type { Run, Settlement } from '../../src/worker/run.ts'
import { DELIVERED, dies, memberOf } from './world.ts'

/** A WeChat that answers when it is let, and remembers what it was sent, and what looked as if its worker had died with it. */
export function gatedWechat() {
  const sent: string[] = []
  const interrupted: string[] = []
  const gate = Promise.withResolvers<void>()
  async function deliver(run: Run): Promise<Settlement> {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    if (turn.interruptedMsAgo !== undefined) {
      interrupted.push(run.id)
      // As `deliver.ts` does where a doubt is a dead letter.
      if ((run.data as { ifUnsure?: string }).ifUnsure === 'dead-letter') return dies({ name: 'unsure', errcode: null })
    }
    sent.push(run.id)
    await gate.promise
    return DELIVERED
  }
  return { deliver, sent, interrupted, answer: () => gate.resolve() }
}
