// Replies have no number: the n-th answers the n-th command. So a reply of ours has to wait until everything before it is
// answered, and a list remembers what each of Redis's replies is for.
import { createReplyScanner, type ReplyPart } from './resp-replies.ts'

export type Expected =
  | { kind: 'pass' }
  /** Redis's reply is swallowed and the connection breaks. */
  | { kind: 'lose' }
  /** Redis's reply is replaced, unless it is an error itself. */
  | { kind: 'replace'; reply: Buffer }
  /** Redis was sent nothing. */
  | { kind: 'ours'; reply: Buffer }
  /** From here on nothing is read any more: what comes is not one reply per command. */
  | { kind: 'raw' }

export type ReplyOrder = {
  /** To be called in the order of the commands. */
  expect: (next: Expected) => void
  fromServer: (chunk: Buffer) => void
}

export const createReplyOrder = (wires: { toClient: (bytes: Buffer) => void; breakOff: () => void }): ReplyOrder => {
  const { toClient, breakOff } = wires
  const scanner = createReplyScanner()
  const expected: Expected[] = []
  /** Whether a reply of Redis's has begun and not ended. */
  let isInside = false
  let isRaw = false

  /** Gives what is ours and due, as long as no reply of Redis's stands in the middle. */
  const giveOurs = (): void => {
    if (isInside) return
    for (let first = expected[0]; first?.kind === 'ours' || first?.kind === 'raw'; first = expected[0]) {
      expected.shift()
      if (first.kind === 'ours') toClient(first.reply)
      else isRaw = true
    }
  }
  const give = ({ bytes, type, isEnd }: ReplyPart): void => {
    const [first] = expected
    // Nobody asked for a push; and without a question Redis says why it closes the connection.
    if (isRaw || type === '>' || first === undefined) return toClient(bytes)
    if (first.kind === 'pass' || (first.kind === 'replace' && type === '-')) toClient(bytes)
    if (!isEnd) return
    expected.shift()
    if (first.kind === 'replace' && type !== '-') toClient(first.reply)
    if (first.kind === 'lose') breakOff()
  }
  return {
    expect: (next) => {
      expected.push(next)
      giveOurs()
    },
    fromServer: (chunk) => {
      if (isRaw) return toClient(chunk)
      for (const part of scanner.scan(chunk)) {
        isInside = !part.isEnd
        give(part)
        giveOurs()
      }
    },
  }
}
