import { SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createWechatClient, type PictureKind, pictureKindOf } from '../src/index.ts'
import { openClient, TOKEN } from './support/clients.ts'
import { answer, rawServer } from './support/raw-server.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const PNG = latin1('\x89PNG\r\n\x1A\n')

describe('the kind of a picture', () => {
  it.each([
    ['image/png', '\x89PNG\r\n\x1A\n…'],
    ['image/jpeg', '\xFF\xD8\xFF\xE0…'],
    ['image/gif', 'GIF87a…'],
    ['image/gif', 'GIF89a…'],
  ])('is %s by its first bytes', (type, begin) => expect(pictureKindOf(latin1(begin))?.type).toBe(type))

  it.each(['', 'GIF88a', '\x89PNG', 'RIFF____WEBP', '<svg/>', '<!doctype html>', ' \xFF\xD8\xFF'])(
    'is none of %j',
    (begin) => expect(pictureKindOf(latin1(begin))).toBeUndefined(),
  )
})

describe('an upload', () => {
  const kind = pictureKindOf(PNG) as PictureKind
  const upload = { token: { parameter: 'access_token', value: TOKEN }, bytes: PNG, kind }

  it.each([
    ['\x89PNG\r\n\x1A\n', 'image.png'],
    ['\xFF\xD8\xFF\xE0', 'image.jpg'],
    ['GIF89a', 'image.gif'],
  ])('has the form that WeChat takes, with a name after the bytes', async (begin, filename) => {
    const fake = await startFakeWechat()
    const client = createWechatClient({ baseUrl: fake.url, connections: 1, timeoutMs: 5000 })
    onTestFinished(async () => {
      await client.close()
      await fake.close()
    })
    const credentials = { appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET }
    const got = await client.fetchToken({ kind: 'stable', ...credentials })
    if (got.kind !== 'token') throw new Error('no token')
    const bytes = Buffer.concat([latin1(begin), Buffer.from('\r\n--wxo-\r\n\0'), Buffer.alloc(100_000, 7)])
    const token = { parameter: 'access_token', value: got.value }
    const uploaded = await client.upload({ token, bytes, kind: pictureKindOf(bytes) as PictureKind })
    expect(uploaded).toEqual({ kind: 'uploaded', mediaId: expect.stringMatching(/^[\w-]{64}$/) })
    expect(fake.ledger.otherCalls()).toMatchObject([{ errcode: 0, body: { filename, bytes: bytes.length } }])
  })

  it('tells its length, names the token as its source does, and keeps the prefix', async () => {
    const server = await rawServer({ onRequest: (socket) => void socket.write(answer('{"media_id":"M"}')) })
    const token = { parameter: 'cloudbase_access_token', value: 'a b' }
    const client = openClient(`${server.url}/proxy`)
    await expect(client.upload({ ...upload, token })).resolves.toEqual({ kind: 'uploaded', mediaId: 'M' })
    const [line, ...headers] = (server.requests[0] ?? '').split('\r\n')
    expect(line).toBe('POST /proxy/cgi-bin/media/upload?cloudbase_access_token=a%20b&type=image HTTP/1.1')
    expect(headers).toEqual(expect.arrayContaining([expect.stringMatching(/^content-length: \d+$/)]))
    await expect(client.upload({ ...upload, token: { parameter: '', value: '' } })).resolves.toMatchObject({})
    expect(server.requests.at(-1)).toContain('POST /proxy/cgi-bin/media/upload?type=image HTTP/1.1')
  })

  it.each([
    ['{"type":"image","media_id":"M-1","created_at":1}', { kind: 'uploaded', mediaId: 'M-1' }],
    ['\uFEFF{"errcode":"0","media_id":"M-1"}\0', { kind: 'uploaded', mediaId: 'M-1' }],
    ['{"errcode":40009,"errmsg":"invalid image size"}', { kind: 'answered', errcode: 40009 }],
    ['{"errcode":45009,"media_id":"M-1"}', { kind: 'answered', errcode: 45009 }],
    ['{"errcode":0,"errmsg":"ok"}', { kind: 'unsure', detail: 'HTTP 200 without a media_id' }],
    ['{"media_id":""}', { kind: 'unsure' }],
    ['{"media_id":"a b"}', { kind: 'unsure' }],
    ['<html>', { kind: 'unsure', detail: 'HTTP 200 without a JSON object' }],
  ])('is told of by %s', async (body, uploaded) => {
    const server = await rawServer({ onRequest: (socket) => void socket.write(answer(body)) })
    await expect(openClient(server.url).upload(upload)).resolves.toMatchObject(uploaded)
  })

  it('is refused, not sent or unsure where WeChat does not answer, without a word of the token', async () => {
    const busy = await rawServer({ onRequest: (socket) => void socket.write(answer('', '503 Busy')) })
    await expect(openClient(busy.url).upload(upload)).resolves.toEqual({ kind: 'refused', status: 503 })
    await expect(openClient('http://127.0.0.1:1').upload(upload)).resolves.toMatchObject({ kind: 'not-sent' })
    const echo = await rawServer({
      onRequest: (socket) => void socket.write(answer(`{"errcode":40001,"errmsg":"bad ${TOKEN}"}`)),
    })
    const refused = await openClient(echo.url).upload(upload)
    expect(refused).toMatchObject({ kind: 'answered', errcode: 40001 })
    expect(JSON.stringify(refused)).not.toContain(TOKEN)
  })
})
