import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type FakeWechat, SANDBOX_APP_ID, startFakeWechat } from '../src/index.ts'
import { type Answer, post, stableToken } from './client.ts'

let fake: FakeWechat
let token: string
beforeEach(async () => {
  fake = await startFakeWechat()
  token = (await stableToken(fake)).access_token ?? ''
})
afterEach(() => fake.close())

const typing = async (body: unknown, path = 'typing', as = token): Promise<Answer> =>
  (await (await post(fake, `/cgi-bin/message/custom/${path}?access_token=${as}`, body)).json()) as Answer

async function upload(bytes: Uint8Array<ArrayBuffer> | null, query: Record<string, string> = {}) {
  const form = new FormData()
  if (bytes !== null) form.set('media', new File([bytes], '猫.png', { type: 'image/png' }))
  else form.set('media', 'not a file')
  const search = new URLSearchParams({ access_token: token, type: 'image', ...query }).toString()
  const response = await fetch(`${fake.url}/cgi-bin/media/upload?${search}`, { method: 'POST', body: form })
  return (await response.json()) as Answer & { type?: string; media_id?: string; created_at?: number }
}

it('takes typing on both of its paths', async () => {
  const body = { touser: 'oAnna', command: 'Typing' }
  expect(await typing(body)).toEqual({ errcode: 0, errmsg: 'ok' })
  expect(await typing({ ...body, command: 'CancelTyping' }, 'business/typing')).toMatchObject({ errcode: 0 })
  expect(await typing({ ...body, command: 'Shout' })).toMatchObject({ errcode: 45072 })
  expect(await typing({ command: 'Typing' })).toMatchObject({ errcode: 40003 })
  expect(await typing('{')).toMatchObject({ errcode: 47001 })
  expect(await typing(body, 'typing', 'forged')).toMatchObject({ errcode: 40001 })
  expect(await typing(body, 'typing', '')).toMatchObject({ errcode: 41001 })
  expect(fake.ledger.otherCalls()).toHaveLength(7)
  expect(fake.ledger.otherCalls()[0]).toMatchObject({
    appid: SANDBOX_APP_ID,
    path: '/cgi-bin/message/custom/typing',
    errcode: 0,
    body,
  })
})

it('takes an upload as it is, and answers with a media id', async () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, n) => (n * 31) % 256)
  const answer = await upload(bytes)
  expect(answer).toMatchObject({ type: 'image', media_id: expect.stringMatching(/^[\w-]{64}$/) })
  expect(answer.created_at).toBeGreaterThan(1_000_000_000)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const body = { type: 'image', filename: '猫.png', bytes: bytes.length, sha256 }
  expect(fake.ledger.otherCalls()).toMatchObject([{ path: '/cgi-bin/media/upload', errcode: 0, body }])
})

it('refuses uploads that are too large, of an unknown type, without a file or with a wrong token', async () => {
  expect(await upload(new Uint8Array(2 * 1024 * 1024 + 1))).toMatchObject({ errcode: 40009 })
  expect(await upload(new Uint8Array(9), { type: 'song' })).toMatchObject({ errcode: 40004 })
  expect(await upload(null)).toMatchObject({ errcode: 41005 })
  expect(await upload(new Uint8Array(9), { access_token: 'forged' })).toMatchObject({ errcode: 40001 })
})

const sendImage = async (mediaId: string): Promise<Answer> => {
  const body = { touser: 'oAnna', msgtype: 'image', image: { media_id: mediaId } }
  return (await (await post(fake, `/cgi-bin/message/custom/send?access_token=${token}`, body)).json()) as Answer
}

it('knows its media ids: one that has expired or was forgotten is 40007 at a send, and a foreign one passes', async () => {
  await fake.close()
  let now = Date.now()
  fake = await startFakeWechat({ now: () => now })
  const renew = async () => (token = (await stableToken(fake)).access_token ?? '')
  await renew()
  const [first = '', second = ''] = [
    (await upload(new Uint8Array(9))).media_id,
    (await upload(new Uint8Array(9))).media_id,
  ]
  expect(await sendImage(first)).toMatchObject({ errcode: 0 })
  expect(await sendImage('media-1')).toMatchObject({ errcode: 0 })
  fake.control.forgetMedia({ mediaId: first })
  expect(await sendImage(first)).toMatchObject({ errcode: 40007 })
  expect(await sendImage(second)).toMatchObject({ errcode: 0 })
  now += 3 * 24 * 3_600_000
  await renew()
  expect(await sendImage(second)).toMatchObject({ errcode: 40007 })
})

it('plays faults on uploads: one that is taken, or refused, and its answer spoiled', async () => {
  fake.control.addFault({ endpoint: 'media', times: 1, fault: { name: 'errcode', errcode: 45009 } })
  fake.control.addFault({ endpoint: 'media', times: 1, fault: 'accept-then-reset' })
  expect(await upload(new Uint8Array(9))).toMatchObject({ errcode: 45009 })
  await expect(upload(new Uint8Array(9))).rejects.toThrow()
  expect(await upload(new Uint8Array(9))).toMatchObject({ media_id: expect.any(String) })
  expect(fake.ledger.otherCalls()).toMatchObject([
    { errcode: 45009, fault: 'errcode' },
    { errcode: null, fault: 'accept-then-reset' },
    { errcode: 0 },
  ])
})

it('forgets them with a reset, and shows them over HTTP', async () => {
  await typing({ touser: 'oAnna', command: 'Typing' })
  const ledger = (await (await fetch(`${fake.url}/_control/ledger`)).json()) as { otherCalls: unknown[] }
  expect(ledger.otherCalls).toHaveLength(1)
  fake.control.reset({ keepTokens: true })
  expect(fake.ledger.otherCalls()).toEqual([])
})
