// One question to a Redis on the loopback, without a client: just enough to see whether it is up and is ours.
import { connect } from 'node:net'

/** A port, or with it the password that this Redis asks for. */
type AskedRedis = number | { readonly port: number; readonly password?: string | undefined }

/**
 * Sends one inline command and resolves with the raw reply: the first line, or the whole of a bulk string. A password
 * that is wrong is the reply. Rejects when nobody listens, or after `timeoutMs`.
 */
export const askRedis = (redis: AskedRedis, command: string, timeoutMs = 2000): Promise<string> =>
  new Promise((resolve, reject) => {
    const { port, password } = typeof redis === 'number' ? { port: redis } : redis
    const auth = password === undefined ? '' : `AUTH ${password}\r\n`
    let received = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(`${auth}${command}\r\n`))
    socket.setEncoding('utf8')
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer from Redis in time')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('Redis closed the connection')))
    socket.on('data', (chunk) => {
      received += String(chunk)
      const reply = completeReply(auth === '' ? received : received.replace(/^\+OK\r\n/, ''))
      if (reply === null) return
      resolve(reply)
      socket.destroy()
    })
  })

const completeReply = (received: string): string | null => {
  const lineEnd = received.indexOf('\r\n')
  if (lineEnd < 0) return null
  const bulk = /^\$(\d+)/.exec(received)
  if (bulk === null) return received.slice(0, lineEnd)
  const text = Buffer.from(received.slice(lineEnd + 2))
  const length = Number(bulk[1])
  return text.length >= length ? text.subarray(0, length).toString() : null
}
