/** Whether a replay can do better than the message that died: what an operator wants to know before thousands are replayed. */
import { type Meaning, OWN_REASONS, sendErrcode } from './errcodes.ts'

/**
 * `sendable`: nothing about the message itself stands in the way. `after-user-action`: only if the user has acted again since it died.
 * `refused-again`: the answer is the same, unless what it complains of has been mended. `unknown`: nobody knows this reason.
 */
export type ReplayProspect = 'sendable' | 'after-user-action' | 'refused-again' | 'unknown'

/** The same in words, after "a replay". */
export const PROSPECT_MEANINGS: Readonly<Record<ReplayProspect, Meaning>> = {
  sendable: { en: 'can be sent now', zh: '现在可以发送' },
  'after-user-action': { en: 'only if the user has written again since', zh: '仅当用户此后再次发过消息' },
  'refused-again': { en: 'is refused again, unless the cause was mended', zh: '除非原因已消除，否则会再次被拒' },
  unknown: { en: 'cannot be foreseen', zh: '无法预料' },
}

/** `key`: an errcode as text, or the name of a reason of ours. */
export function replayProspect(key: string): ReplayProspect {
  if (!/^-?\d+$/.test(key)) {
    if (key === 'invalid-message') return 'refused-again'
    return OWN_REASONS.some(({ name }) => name === key) ? 'sendable' : 'unknown'
  }
  switch (sendErrcode(Number(key))?.action) {
    case undefined:
      return 'unknown'
    case 'reply-window':
      return 'after-user-action'
    case 'dead':
    case 'renew-media':
      return 'refused-again'
    default:
      return 'sendable'
  }
}
