// `wxo send --image FILE`: what is said of a file and of a gateway that serve no picture. That one arrives is shown with a whole gateway
// in `test/e2e`.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PNG = Buffer.from('\x89PNG\r\n\x1A\n and more', 'latin1')

let world: World
let dir: string
let file: string
const servers: Server[] = []
beforeAll(async () => {
  world = await startWorld()
  dir = await mkdtemp(join(tmpdir(), 'wxo-image-'))
  file = join(dir, 'a.png')
  await writeFile(file, PNG)
})
afterAll(async () => {
  for (const server of servers) server.close()
  await world?.close()
  await rm(dir, { recursive: true, force: true })
})

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const send = (image: string, env: Record<string, string> = {}) =>
  world.cli(['send', '--app', APP, '--to', 'oImage', '--image', image], { env })

it('says what is wrong with the file, before anybody is asked', async () => {
  let asked = 0
  const url = await serve((_request, response) => {
    asked += 1
    response.end()
  })
  const env = { WXO_GATEWAY_URL: url }
  const [text, empty, large] = ['text.png', 'empty.png', 'large.png'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(text, '<svg/>')
  await writeFile(empty, '')
  await writeFile(large, Buffer.concat([PNG, Buffer.alloc(10_485_760)]))
  const cases = [
    [join(dir, 'missing.png'), 'cannot be read: there is no such file'],
    [`${dir}/`, 'cannot be read: it is a directory'],
    [text, 'is no PNG, JPEG or GIF'],
    [empty, 'is empty'],
    [large, 'is larger than 10 MiB'],
  ] as const
  for (const [name, problem] of cases) {
    expect(await send(name, env)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(problem) })
  }
  expect(asked).toBe(0)
  expect(await world.outbox.status('m-none')).toBeNull()
})

it('says what is wrong with the gateway, and gives the key to it alone', async () => {
  const problem = JSON.stringify({ status: 403, code: 'forbidden', detail: 'The API key does not allow this.' })
  const elsewhere: string[] = []
  const other = await serve((request, response) => {
    elsewhere.push(request.url ?? '')
    response.end()
  })
  const refuses = await serve((_request, response) => void response.writeHead(403).end(problem))
  const page = await serve((_request, response) => void response.writeHead(200).end('<html>hello</html>'))
  const redirects = await serve((_request, response) => void response.writeHead(307, { location: other }).end())
  const key = 'key-that-nobody-may-see-1'
  const cases = [
    ['', 'set WXO_GATEWAY_URL'],
    ['http://192.0.2.1:3000', 'WXO_GATEWAY_URL must be an https URL'],
    ['http://user:pass@127.0.0.1:3000', 'WXO_GATEWAY_URL must be an https URL'],
    ['http://127.0.0.1:9', 'cannot be asked: '],
    [refuses, 'forbidden: The API key does not allow this.'],
    [page, 'it answered 200, and not as a gateway does'],
    [redirects, 'it answered 307, and not as a gateway does'],
  ] as const
  for (const [url, said] of cases) {
    const result = await send(file, { WXO_API_KEY: key, ...(url === '' ? {} : { WXO_GATEWAY_URL: url }) })
    expect(result, url).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(said) })
    expect(result.stderr).not.toContain(key)
  }
  expect(elsewhere).toEqual([])
})

it('sends the media id of the answer, and the key with the request', async () => {
  const seen: unknown[] = []
  const url = await serve((request, response) => {
    const { 'content-type': type, authorization } = request.headers
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen.push([request.method, request.url, type, authorization, Buffer.concat(chunks).equals(PNG)])
      response.end(JSON.stringify({ media_id: 'media-from-a-file', expiresAt: '2026-12-01T00:00:00.000Z' }))
    })
  })
  const env = { WXO_GATEWAY_URL: `${url}/under/`, WXO_API_KEY: 'the-key' }
  const { code, stdout } = await send(file, env)
  expect(code).toBe(0)
  expect(seen).toEqual([['POST', `/under/v1/apps/${APP}/media`, 'image/png', 'Bearer the-key', true]])
  const id = stdout.split(/\s/)[0] ?? ''
  const stored = await world.store.redis.hget(world.store.backend(APP, 'send').toKey(id), 'data')
  expect(JSON.parse(stored ?? '')).toMatchObject({ image: { media_id: 'media-from-a-file' } })
})
