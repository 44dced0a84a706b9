import { describe, expect, it } from 'vitest'
import { createCommandReader } from '../src/resp-commands.ts'

const STREAM =
  '*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$6\r\na\r\n*1é\r\n'.replace('$6', '$7') + 'ping  now\r\n\r\n*1\r\n$4\r\nexec\r\n'
const COMMANDS = [['set', 'key', 'a\r\n*1é'], ['ping', 'now'], ['exec']]

const readAll = (chunks: readonly Buffer[]) => {
  const reader = createCommandReader()
  return chunks.flatMap((chunk) => reader.read(chunk))
}

describe('the command reader', () => {
  it('reads a pipeline of commands and inline ones, wherever it is split', () => {
    const bytes = Buffer.from(STREAM)
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(readAll([bytes.subarray(0, at), bytes.subarray(at)]).map(({ words }) => words)).toEqual(COMMANDS)
    }
    const commands = readAll(Array.from(bytes, (byte) => Buffer.from([byte])))
    expect(commands.map(({ words }) => words)).toEqual(COMMANDS)
    expect(commands.map((command) => command.bytes.toString()).join('')).toBe(STREAM.replace('now\r\n\r\n', 'now\r\n'))
  })

  it('gives back what is not complete', () => {
    const reader = createCommandReader()
    expect(reader.read(Buffer.from('*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1')).map(({ words }) => words)).toEqual([
      ['ping'],
    ])
    expect(reader.rest().toString()).toBe('*2\r\n$3\r\nGET\r\n$1')
  })

  it('reads a value of megabytes in many chunks without going over it again', () => {
    const value = Buffer.alloc(32 * 1024 * 1024, 'x')
    const bytes = Buffer.concat([Buffer.from(`*2\r\n$4\r\necho\r\n$${value.length}\r\n`), value, Buffer.from('\r\n')])
    const chunks = Array.from({ length: Math.ceil(bytes.length / 1024) }, (_, at) =>
      bytes.subarray(at * 1024, (at + 1) * 1024),
    )
    const [command] = readAll(chunks)
    expect(command?.bytes.length).toBe(bytes.length)
    expect(command?.words[1]).toHaveLength(value.length)
  })

  it.each(['*1\r\n:1\r\n', '*x\r\n', '*1\r\n$y\r\n'])('gives up at what is no command: %j', (text) => {
    const reader = createCommandReader()
    expect(reader.read(Buffer.from(`PING\r\n${text}`)).map(({ words }) => words)).toEqual([['ping']])
    expect(reader.isLost()).toBe(true)
    expect(reader.rest().toString()).toBe(text)
  })
})
