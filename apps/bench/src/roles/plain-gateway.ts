/** The baseline's way in over HTTP: fastify with a schema and a key, and `queue.add`. Prints its URL. */
import { fastify } from 'fastify'
import type { TextMessage } from '../messages.ts'
import { openPlainQueue } from '../plain.ts'

const { url, key } = JSON.parse(process.argv[2] ?? '{}') as { url: string; key: string }
const text = { type: 'object', required: ['content'], properties: { content: { type: 'string', maxLength: 2048 } } }
const body = {
  type: 'object',
  required: ['touser', 'msgtype', 'text'],
  properties: { touser: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' }, msgtype: { const: 'text' }, text },
}

const queue = openPlainQueue(url)
const server = fastify()
server.post<{ Body: TextMessage }>('/v1/apps/:appid/messages', { schema: { body } }, async (request, reply) => {
  if (request.headers.authorization !== `Bearer ${key}`) return reply.code(401).send({ error: 'unauthorized' })
  const job = await queue.add(request.body.msgtype, request.body)
  return reply.code(202).send({ id: job.id, status: 'queued' })
})
process.stdout.write(`"url":"${await server.listen({ port: 0, host: '127.0.0.1' })}"\n`)
process.once('SIGTERM', () => process.exit(0))
