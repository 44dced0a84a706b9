// A picture from bytes – over HTTP, and from a file by `wxo` – with real processes: one store of media ids for all who have pictures.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, type System, startSystem } from './support/system.ts'

const picture = Buffer.concat([Buffer.from('\x89PNG\r\n\x1A\n', 'latin1'), Buffer.alloc(5000, 7)])
const pictures = createServer((_request, response) => void response.writeHead(200).end(picture))

let system: System
let gateway: string
let dir: string
beforeAll(async () => {
  await new Promise<void>((resolve) => pictures.listen(0, '127.0.0.1', resolve))
  system = await startSystem({ workers: 1, env: { MEDIA_ALLOWED_HOSTS: '127.0.0.1' } })
  gateway = await system.gateway()
  dir = await mkdtemp(join(tmpdir(), 'media-bytes-'))
}, 60_000)
afterAll(async () => {
  await system?.close()
  pictures.closeAllConnections()
  pictures.close()
  await rm(dir, { recursive: true, force: true })
}, 60_000)

const uploads = async () => (await system.fake.ledger()).otherCalls.filter(({ path }) => path.endsWith('/media/upload'))
const delivered = (id: string) =>
  vi.waitFor(async () => expect(await system.outbox.status(id)).toMatchObject({ status: 'delivered' }), 30_000)
const mediaIdOf = async (touser: string) =>
  (await system.fake.sends()).flatMap((one) =>
    one.touser === touser ? [(one.body as { image: { media_id: string } }).image.media_id] : [],
  )
const wxo = (...args: string[]) => system.wxo('send', '--app', APP, ...args, '--json')

it('is uploaded once, whether it comes from a URL, over HTTP or from a file', async () => {
  const post = async () => {
    const answer = await fetch(`${gateway}/v1/apps/${APP}/media`, {
      method: 'POST',
      headers: { 'content-type': 'image/png' },
      body: new Uint8Array(picture),
    })
    return (await answer.json()) as { media_id: string }
  }
  // An idle app has no token: the worker is asked for one.
  const { media_id: mediaId } = await post()
  expect(mediaId).toMatch(/^\S{60,}$/)
  const url = `http://127.0.0.1:${(pictures.address() as AddressInfo).port}/a.png`
  const { id } = await system.outbox.send({ touser: 'o-url', msgtype: 'image', image: { url } })
  const file = join(dir, 'a picture.png')
  await writeFile(file, picture)
  const sent = await wxo('--to', 'o-file', '--image', file)
  expect(sent).toMatchObject({ code: 1, stderr: expect.stringContaining('set WXO_GATEWAY_URL') })
  system.env['WXO_GATEWAY_URL'] = gateway
  const through = await wxo('--to', 'o-file', '--image', file)
  expect(through).toMatchObject({ code: 0, stderr: '' })
  await delivered(id)
  await delivered((JSON.parse(through.stdout) as { id: string }).id)
  expect([...(await mediaIdOf('o-url')), ...(await mediaIdOf('o-file'))]).toEqual([mediaId, mediaId])
  expect(await uploads()).toMatchObject([{ errcode: 0, body: { filename: 'image.png', bytes: picture.length } }])
}, 60_000)
