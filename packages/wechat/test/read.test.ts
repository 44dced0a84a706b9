import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { askTokenServer, createRelay } from '../src/index.ts'
import { errcodeOf, parseJson } from '../src/read.ts'
import { APPID, call, openClient, SECRET } from './support/clients.ts'
import { ODD_BODIES, oddAnswer } from './support/odd-bodies.ts'
import { answer, rawServer } from './support/raw-server.ts'

const serverSaying = (bytes: Buffer | string) => rawServer({ onRequest: (socket) => void socket.write(bytes) })
const token = { kind: 'token', value: 'T0', expiresInS: 7200 }
const relayed = async (bytes: Buffer | string) => {
  const relay = createRelay({
    baseUrl: (await serverSaying(bytes)).url,
    callsMax: 1,
    timeoutMs: 5000,
  })
  const path = '/cgi-bin/message/custom/typing'
  const passed = await relay.pass({ path, token: call.token, contentType: 'application/json', body: '{}' })
  await relay.close()
  return passed
}

describe.each(ODD_BODIES)('an answer with $name', (odd) => {
  it('says of a send what it says', async () => {
    for (const [errcode, said] of [
      [0, '{"errcode":0,"errmsg":"ok"}'],
      [0, '{"errcode":"0","errmsg":"ok"}'],
      [45015, '{"errcode":"45015","errmsg":"out of time"}'],
    ] as const) {
      const { url } = await serverSaying(oddAnswer(odd, said))
      expect(await openClient(url).send(call)).toMatchObject({ kind: 'answered', errcode })
    }
  })

  it('gives a token, or refuses one, in the same way', async () => {
    const { url } = await serverSaying(oddAnswer(odd, '{"access_token":"T0","expires_in":7200}'))
    expect(await openClient(url).fetchToken({ kind: 'stable', appid: APPID, secret: SECRET })).toEqual(token)
    const asked = { method: 'GET', headers: {}, lifetimeS: 300, timeoutMs: 5000 } as const
    expect(await askTokenServer({ ...asked, url })).toEqual(token)
    const refusing = await serverSaying(oddAnswer(odd, '{"errcode":"40125","errmsg":"no"}'))
    const refused = { kind: 'refused', errcode: 40125, errmsg: 'no' }
    expect(await askTokenServer({ ...asked, url: refusing.url })).toEqual(refused)
  })

  it('is passed on as plain JSON', async () => {
    const passed = await relayed(oddAnswer(odd, '{"errcode":"45081","errmsg":"typing"}'))
    expect(passed).toMatchObject({ kind: 'answered', errcode: 45081, answer: { errcode: 45081, errmsg: 'typing' } })
  })

  it('is not believed when it comes with a fault of the server', async () => {
    const { url } = await serverSaying(oddAnswer(odd, '{"errcode":"0","errmsg":"ok"}', '502 Bad Gateway'))
    expect(await openClient(url).send(call)).toEqual({ kind: 'unsure', detail: 'HTTP 502', status: 502 })
  })
})

describe('an answer', () => {
  it('that grows beyond the limit when it is unpacked is not read to its end', async () => {
    const packed = gzipSync(JSON.stringify({ errcode: 0, pad: ' '.repeat(100_000) }))
    const odd = { name: 'gzip', bytes: () => packed }
    const { url } = await serverSaying(oddAnswer(odd, ''))
    const detail = 'answer larger than 65536 bytes'
    expect(await openClient(url).send(call)).toEqual({ kind: 'unsure', detail })
    expect(await relayed(oddAnswer(odd, ''))).toEqual({ kind: 'broken', detail })
  })

  it('that only quotes WeChat’s answer is not WeChat’s', async () => {
    for (const page of [
      '<html>{"errcode":0}</html>',
      'upstream said {"errcode":0}',
      '{"errcode":0} extra',
      "{'errcode':0}",
    ]) {
      const { url } = await serverSaying(answer(page))
      expect(await openClient(url).send(call)).toMatchObject({ kind: 'unsure' })
    }
  })

  it('that is passed on has a code that is a number, or none', async () => {
    const detail = 'HTTP 200 with an errcode that is no number'
    expect(await relayed(answer('{"errcode":"no","media_id":"M"}'))).toEqual({ kind: 'broken', detail })
    const none = { kind: 'answered', errcode: 0, answer: { media_id: 'M' } }
    expect(await relayed(answer('{"errcode":null,"media_id":"M"}'))).toEqual(none)
  })

  it('holds no half of a token that a control character has cut', async () => {
    const { value } = call.token
    const errmsg = `bad ${value.slice(0, 9)}\0${value.slice(9)}`
    const { url } = await serverSaying(answer(`{"errcode":40001,"errmsg":"${errmsg}"}`))
    expect(await openClient(url).send(call)).toMatchObject({ errcode: 40001, errmsg: 'bad ***' })
  })
})

describe('errcodeOf', () => {
  it.each([
    ['0', 0],
    ['"0"', 0],
    ['"-1"', -1],
    ['" 45015 "', 45015],
    ['"+0"', 0],
    ['"-0"', 0],
    ['"45015.0"', 45015],
    ['45015.0', 45015],
    ['"\\u000045015"', 45015],
    ['"1.5"', undefined],
    ['"99999999999999999"', undefined],
    ['" "', undefined],
    ['"０"', undefined],
    ['false', undefined],
    ['{}', undefined],
  ])('reads %s', (written, errcode) => {
    expect(errcodeOf({ errcode: parseJson(written) })).toBe(errcode)
  })
})
