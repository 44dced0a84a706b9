// One client of the Redis proxy: reads its commands, asks the rule what becomes of each, and keeps account of MULTI, in
// which a refusal of one command is a refusal of all.
import { createReplyOrder, type Expected } from './reply-order.ts'
import { type ClientCommand, createCommandReader } from './resp-commands.ts'

/**
 * What becomes of a command. `refuse`: it is answered with this error (see `REDIS_ERRORS`) and not executed. Inside MULTI
 * the EXEC fails then, too, with EXECABORT, as Redis does it; only NOSCRIPT is queued and shows in the answer of EXEC.
 * `lose-reply`: it is executed, what comes before it is answered, and then the connection ends without its answer; what
 * the client sends behind it does not reach Redis. Otherwise it is passed on.
 */
export type Fate = { refuse: string } | 'lose-reply' | undefined

/** Sees every command, in order: its name in lower case, then its arguments as text. It must not throw. */
export type OnCommand = (command: readonly string[], at: { inTransaction: boolean }) => Fate

export type SessionWires = {
  onCommand: OnCommand
  toServer: (bytes: Buffer) => void
  toClient: (bytes: Buffer) => void
  /** Called once nothing of what the client sends may reach Redis any more. */
  holdClient: () => void
  /** Breaks the connection, once what was passed on has arrived. */
  breakOff: () => void
}

export type RedisSession = {
  fromClient: (chunk: Buffer) => void
  fromServer: (chunk: Buffer) => void
}

const commandBytes = (...words: string[]): Buffer =>
  Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)

const DISCARD = commandBytes('DISCARD')
/** Has no script and never will, so Redis itself says NOSCRIPT where it would. */
const UNKNOWN_SCRIPT = commandBytes('EVALSHA', 'f'.repeat(40), '0')
const EXEC_ABORTED = 'EXECABORT Transaction discarded because of'
/** After these a connection gets what it did not ask for, or no answer at all. */
const ENDS_READING = new Set(['subscribe', 'psubscribe', 'ssubscribe', 'monitor', 'sync', 'psync'])

export const createRedisSession = (wires: SessionWires): RedisSession => {
  const { toServer } = wires
  const commands = createCommandReader()
  const replies = createReplyOrder(wires)
  let transaction: 'none' | 'open' | 'spoilt' = 'none'
  let isRaw = false
  let isHeld = false

  const ask = (bytes: Buffer, answer: Expected): void => {
    replies.expect(answer)
    toServer(bytes)
  }
  const readNoMore = (): void => {
    isRaw = true
    replies.expect({ kind: 'raw' })
  }
  /** A refused EXEC ends its transaction; any other refused command makes its EXEC fail. NOSCRIPT shows only in EXEC. */
  const refuse = (name: string, error: string): void => {
    if (transaction !== 'none' && name === 'exec') {
      transaction = 'none'
      ask(DISCARD, { kind: 'replace', reply: errorReply(`${EXEC_ABORTED}: ${error}`) })
    } else if (transaction !== 'none' && name === 'evalsha' && error.startsWith('NOSCRIPT')) {
      ask(UNKNOWN_SCRIPT, { kind: 'pass' })
    } else {
      if (transaction === 'open') transaction = 'spoilt'
      replies.expect({ kind: 'ours', reply: errorReply(error) })
    }
  }
  const forward = (name: string, bytes: Buffer, answer: Expected): void => {
    const isAborted = name === 'exec' && transaction === 'spoilt'
    if (name === 'multi' && transaction === 'none') transaction = 'open'
    if (name === 'exec' || name === 'discard' || name === 'reset') transaction = 'none'
    if (!isAborted) return ask(bytes, answer)
    const aborted: Expected = { kind: 'replace', reply: errorReply(`${EXEC_ABORTED} previous errors.`) }
    ask(DISCARD, answer.kind === 'lose' ? answer : aborted)
  }
  const take = ({ words, bytes }: ClientCommand): void => {
    if (isHeld) return
    if (isRaw) return toServer(bytes)
    const name = words[0] ?? ''
    const fate = wires.onCommand(words, { inTransaction: transaction !== 'none' })
    if (typeof fate === 'object') return refuse(name, fate.refuse)
    if (fate === 'lose-reply') {
      isHeld = true
      wires.holdClient()
      return forward(name, bytes, { kind: 'lose' })
    }
    if (!endsReading(words)) return forward(name, bytes, { kind: 'pass' })
    readNoMore()
    toServer(bytes)
  }
  return {
    fromServer: replies.fromServer,
    fromClient: (chunk) => {
      if (isHeld) return
      if (isRaw) return toServer(chunk)
      for (const command of commands.read(chunk)) take(command)
      // Redis says itself what it thinks of it.
      if (commands.isLost()) readNoMore()
      if (isRaw && !isHeld) toServer(commands.rest())
    },
  }
}

const endsReading = ([name = '', first = '']: readonly string[]): boolean =>
  ENDS_READING.has(name) || (name === 'client' && first.toLowerCase() === 'reply')

const errorReply = (text: string): Buffer => {
  if (/[\r\n]/.test(text)) throw new Error('an error of Redis is one line')
  return Buffer.from(`-${text}\r\n`)
}
