/** A name server that answers as a test wants it to. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

export interface NameServer {
  /** As resolvers take it. */
  readonly address: string
  /** `A pictures.test`, in the order in which they came. */
  readonly asked: string[]
}

/** Addresses of the family that is asked for; a number is an error of DNS's: 2 for a failure, 3 for no such name. */
export type NameAnswer = readonly string[] | number | 'silent'

export async function nameServer(answerOf: (type: 'A' | 'AAAA', name: string) => NameAnswer): Promise<NameServer> {
  const socket = createSocket('udp4')
  socket.on('message', (question, from) => {
    const { name, end } = nameIn(question)
    const type = question.readUInt16BE(end) === 28 ? 'AAAA' : 'A'
    server.asked.push(`${type} ${name}`)
    const said = answerOf(type, name)
    if (said === 'silent') return
    const addresses = typeof said === 'number' ? [] : said
    const head = Buffer.from(question.subarray(0, 12))
    head.writeUInt16BE(0x8180 | (typeof said === 'number' ? said : 0), 2)
    head.writeUInt16BE(addresses.length, 6)
    // The questions alone are repeated: what stands behind them is the resolver's own.
    head.writeUInt16BE(0, 10)
    const records = addresses.map((address) => recordOf(address, type))
    socket.send(Buffer.concat([head, question.subarray(12, end + 4), ...records]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(() => void socket.close())
  const server: NameServer = { address: `127.0.0.1:${socket.address().port}`, asked: [] }
  return server
}

function nameIn(question: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

function recordOf(address: string, type: 'A' | 'AAAA'): Buffer {
  const bytes = type === 'A' ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address)
  // The name of the question, the type, the class IN, 0 seconds, and the length.
  const head = Buffer.from([0xc0, 0x0c, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 0, 0, bytes.length])
  return Buffer.concat([head, bytes])
}

/** Of a form with one `::`. */
function ipv6Bytes(address: string): Buffer {
  const [before = '', after = ''] = address.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)))
  const bytes = Buffer.alloc(16)
  words(before).forEach((word, n) => bytes.writeUInt16BE(word, 2 * n))
  words(after)
    .toReversed()
    .forEach((word, n) => bytes.writeUInt16BE(word, 14 - 2 * n))
  return bytes
}
