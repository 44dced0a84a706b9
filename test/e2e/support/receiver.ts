/** A receiver of callbacks: a real HTTP server that verifies each call as the library of the standard does, and answers as it is told to. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CallbackBody, MessageEvent } from '@wechat-outbox/messages'
import { Webhook } from 'standardwebhooks'

export const CALLBACK_SECRET = `whsec_${Buffer.from('thirty-two bytes that are secret').toString('base64')}`

export interface Heard {
  readonly id: string
  readonly path: string
  readonly body: CallbackBody
  /** How it was answered. */
  readonly status: number
}

export type Answer = (response: ServerResponse, body: CallbackBody) => void | Promise<void>

export interface Receiver {
  readonly url: string
  readonly heard: Heard[]
  /** What was no call of ours. */
  readonly refused: string[]
  /** Of every further call. */
  answer: Answer
  /** The message events that were taken, by the message's id. */
  taken(): Map<string, Heard[]>
  close(): Promise<void>
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end()

export async function startReceiver(port = 0): Promise<Receiver> {
  const webhook = new Webhook(CALLBACK_SECRET)
  const server = createServer((request, response) => void receive(request, response))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: [],
    refused: [],
    answer: status(204),
    taken() {
      const taken = new Map<string, Heard[]>()
      for (const one of receiver.heard) {
        const { id } = one.body.data as MessageEvent
        if (one.status >= 200 && one.status < 300 && id !== undefined) taken.set(id, [...(taken.get(id) ?? []), one])
      }
      return taken
    },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    try {
      const chunks = (await request.toArray()) as Buffer[]
      const headers = request.headers as Record<string, string>
      const body = webhook.verify(Buffer.concat(chunks).toString(), headers) as CallbackBody
      // A call that is never answered, or whose connection broke, is heard as well.
      response.once('close', () => {
        const code = response.writableFinished ? response.statusCode : 0
        receiver.heard.push({ id: headers['webhook-id'] ?? '', path, body, status: code })
      })
      await receiver.answer(response, body)
    } catch (error) {
      receiver.refused.push(String(error))
      response.writeHead(401).end()
    }
  }

  return receiver
}
