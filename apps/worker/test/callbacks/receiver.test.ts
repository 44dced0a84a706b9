// Calls to a real receiver that verifies them as the library of the standard does.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { expect, it, onTestFinished } from 'vitest'
import { createReceiver } from '../../src/callbacks/receiver.ts'

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`

/** Says that an event of this id became true. Returns what it came to, and under which `webhook-id` it was heard. */
async function told(id: string): Promise<[came: unknown, heard: unknown]> {
  let heard: unknown
  const webhook = new Webhook(secret)
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await request.toArray()).toString()
    try {
      webhook.verify(body, request.headers as Record<string, string>)
      heard = request.headers['webhook-id']
      response.writeHead(204).end()
    } catch {
      response.writeHead(401).end()
    }
  }
  const server = createServer((request, response) => void receive(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const receiver = createReceiver({
    callback: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, secret },
    allowedHosts: ['127.0.0.1'],
    proxy: {},
    now: Date.now,
    report: { told: () => undefined, receiver: () => undefined, lost: () => undefined },
  })
  onTestFinished(async () => {
    await receiver.close()
    await new Promise((resolve) => server.close(resolve))
  })
  const event = { id, type: 'message.delivered', at: Date.now(), tries: 0, data: '{"id":"订单-1"}' } as const
  return [await receiver.call(event, new AbortController().signal), heard]
}

it.each([
  ['as it is where it is visible ASCII', 'c-50%_A~1:x-delivered', 'c-50%_A~1:x-delivered'],
  ['percent-encoded where a job has a name in Chinese', 'c-订单-1-delivered', 'c-%E8%AE%A2%E5%8D%95-1-delivered'],
  ['… a space at its end', 'c-1-dead ', 'c-1-dead%20'],
  ['… an end of line', 'c-1\r\nx: y-dead', 'c-1%0D%0Ax:%20y-dead'],
  ['… a letter that a header could hold in another encoding', 'c-é', 'c-%C3%A9'],
  ['… half of a character', 'c-\ud83d', 'c-%EF%BF%BD'],
])('an event is told under its id, %s', async (_what, id, heard) => {
  expect(await told(id)).toEqual([{ kind: 'taken' }, heard])
})
