import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { APPS_KEY } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { APP, type CliOptions, type CliResult, documentOf, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
let dir: string
beforeAll(async () => {
  world = await startWorld()
  await world.store.redis.sadd(APPS_KEY, APP)
  dir = await mkdtemp(join(tmpdir(), 'wxo-body-'))
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true, force: true })
})

const send = (args: readonly string[], options?: CliOptions): Promise<CliResult> =>
  world.cli(['send', '--app', APP, ...args, '--json'], options)
const fileOf = async (content: string | Buffer): Promise<string> => {
  const file = join(dir, 'body.json')
  await writeFile(file, content)
  return file
}

describe('a message', () => {
  it.each([
    ['text', ['--text', '您好'], { content: '您好' }],
    ['image', ['--image', 'media-1'], { media_id: 'media-1' }],
    [
      'link',
      ['--link', '{"title":"t","description":"d","url":"https://a.cn","thumb_url":"https://a.cn/i"}'],
      { title: 't', description: 'd', url: 'https://a.cn', thumb_url: 'https://a.cn/i' },
    ],
    [
      'miniprogrampage',
      ['--page', '{"title":"t","pagepath":"p","thumb_media_id":"m"}'],
      { title: 't', pagepath: 'p', thumb_media_id: 'm' },
    ],
  ])('of type %s is stored as it was given', async (msgtype, args, content) => {
    const result = await send(['--to', 'oSend', ...args])
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const sent = documentOf(result)
    expect(sent).toEqual({ id: expect.stringMatching(/^m-/), status: 'queued', duplicate: false, appid: APP })
    const stored = await world.store.redis.hget(world.store.backend(APP, 'send').toKey(sent.id), 'data')
    expect(JSON.parse(stored ?? '')).toEqual({ v: 1, touser: 'oSend', msgtype, [msgtype]: content })
  })

  it('that is too long is refused, or cut into parts that show tells of', async () => {
    const args = ['--to', 'oLong', '--text', 'one two three']
    const refused = await send(args, { env: { TEXT_BYTES_MAX: '5' } })
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('must be at most 5 bytes of UTF-8') })
    const { id } = documentOf(await send(args, { env: { TEXT_BYTES_MAX: '5', TEXT_SPLIT: 'true' } }))
    const shown = await world.cli(['show', id, '--app', APP])
    expect(shown.stdout).toMatch(new RegExp(`part +1 of 3, the first is ${id}\n`))
    expect(shown.stdout).toMatch(new RegExp(`all parts +${id} ${id}p2 ${id}p3\n`))
    const last = await world.cli(['show', `${id}p3`, '--app', APP])
    expect(last.stdout).toContain(`3 of 3, the first is ${id}`)
    expect(last.stdout).not.toContain('all parts')
  })

  it('takes its key, its times and its ifUnsure from options, and says when it was stored before', async () => {
    const args = [
      '--to',
      'oKey',
      '--text',
      'x',
      '--key',
      'k-1',
      '--send-at',
      '2099-01-01T00:00:00Z',
      '--if-unsure',
      'dead-letter',
    ]
    const first = documentOf(await send(args))
    expect(first).toMatchObject({ status: 'scheduled', duplicate: false })
    expect(documentOf(await send(args))).toEqual({ ...first, duplicate: true })
    expect(documentOf(await world.cli(['show', first.id, '--app', APP, '--json']))).toMatchObject({
      id: first.id,
      status: 'scheduled',
      touser: 'oKey',
      sendAt: '2099-01-01T00:00:00.000Z',
    })
    const other = await send(['--to', 'oKey', '--text', 'y', '--key', 'k-1'])
    expect(other.code).toBe(1)
    expect(documentOf(other).error.code).toBe('WXO_CONFLICT')
  })

  it('from a file passes on what WeChat takes beside it, and takes null for what is absent', async () => {
    const beside = { aimsgcontext: { is_ai_msg: 1 }, businessid: 'B', customservice: { kf_account: 'a@b' } }
    const message = { touser: 'oBeside', msgtype: 'text', text: { content: 'x' }, ...beside }
    const body = JSON.stringify({ ...message, appid: null, image: null, sendAt: null, metadata: null })
    const sent = documentOf(await send(['--body', await fileOf(body)]))
    const stored = await world.store.redis.hget(world.store.backend(APP, 'send').toKey(sent.id), 'data')
    expect(JSON.parse(stored ?? '')).toEqual({ v: 1, ...message })
  })

  it('comes from a file or from stdin, with options over it', async () => {
    const body = JSON.stringify({ appid: APP, touser: 'oFile', msgtype: 'text', text: { content: 'x' } })
    const shown = await world.cli(['send', '--body', await fileOf(`\ufeff${body}`)])
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/^m-\w+ {2}queued\n$/) })
    const sent = documentOf(await send(['--body', '-', '--to', 'oOption'], { input: body }))
    expect(documentOf(await world.cli(['show', sent.id, '--app', APP, '--json'])).touser).toBe('oOption')
  })

  it.each(['--app', 'WECHAT_APP_ID'])(
    'for an app that no worker has ever served is stored, with a warning: %s',
    async (by) => {
      const other = 'wx00000000000000bb'
      const [args, env] = by === '--app' ? [['--app', other], {}] : [[], { WECHAT_APP_ID: other }]
      const result = await world.cli(['send', ...args, '--to', 'oOther', '--text', 'x'], { env })
      expect(result).toEqual({
        code: 0,
        stdout: expect.stringMatching(/^m-\w+ {2}queued\n$/),
        stderr: `no worker has ever served ${other}; the message waits for one. Is the appid right?\n`,
      })
      await world.store.redis.sadd(APPS_KEY, other)
      const later = await world.cli(['send', ...args, '--to', 'oOther', '--text', 'x', '--json'], { env })
      expect(later).toMatchObject({ code: 0, stderr: '' })
      await world.store.redis.srem(APPS_KEY, other)
    },
  )

  it('is refused with the path of every problem', async () => {
    const body = await fileOf('{"touser":"o o","msgtype":"text","text":{"content":"","x":1},"a":1,"b":1,"c":1,"d":1}')
    const result = await send(['--body', body])
    expect(result.code).toBe(1)
    const paths = ['touser', 'text.content', 'text.x', 'a', 'b', 'c', 'd']
    expect(documentOf(result).error.code).toBe('WXO_INVALID')
    expect(
      documentOf(result)
        .error.issues.map(({ path }) => path)
        .sort(),
    ).toEqual(paths.sort())
    for (const path of paths) expect(result.stderr).toContain(`  ${path}: `)
  })
})

describe('a body of another shape', () => {
  it.each([
    ['ten megabytes', Buffer.alloc(10 * 1024 * 1024, 32), 'is larger than 1 MiB'],
    ['no JSON', '{"touser": o}', 'is not JSON'],
    ['NUL bytes', Buffer.alloc(100), 'contains NUL bytes'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0xfe]), 'is not UTF-8'],
    ['nothing', '', 'is empty'],
    ['a list', '[]', 'holds no JSON object'],
    ['null', 'null', 'holds no JSON object'],
    [
      'an escaped NUL',
      '{"touser":"o","msgtype":"text","text":{"content":"a\\u0000"}}',
      'text.content: contains a NUL character',
    ],
    [
      'a polluting key',
      '{"touser":"o","msgtype":"text","text":{"content":"a"},"__proto__":{"x":1}}',
      '__proto__: is not an allowed key',
    ],
  ])('that is %s is named in a sentence', async (_name, content, sentence) => {
    const result = await send(['--body', await fileOf(content)])
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(sentence)
    expect(result.stderr).not.toContain('    at ')
  })

  it('that is a folder or not there is named too', async () => {
    expect((await send(['--body', dir])).stderr).toContain('it is a directory')
    expect((await send(['--body', join(dir, 'none')])).stderr).toContain('there is no such file')
  })
})

describe('show', () => {
  it('says that a message is not known', async () => {
    const result = await world.cli(['show', 'm-none', '--app', APP])
    expect(result).toMatchObject({ code: 1, stdout: '', stderr: `wxo: ${APP} has no message m-none, or no longer\n` })
  })

  it.each([
    [['show', 'm-none'], 'has no message m-none, or no longer'],
    [['dead', 'show', 'd-none'], 'has no dead letter d-none: replayed, discarded or expired, or never there'],
    [['task', 'show', 'r-none'], 'has no task r-none, or it ended more than seven days ago'],
    [['task', 'cancel', 'r-none'], 'has no task r-none, or it ended more than seven days ago'],
  ])('says where %j looked when nobody has named the app', async (args, said) => {
    const elsewhere = `. That is the only app that workers have served: for another one give --app wx…\n`
    expect(await world.cli(args)).toEqual({ code: 1, stdout: '', stderr: `wxo: ${APP} ${said}${elsewhere}` })
    const chosen = `. That is the app of WECHAT_APP_ID: for another one give --app wx…\n`
    expect((await world.cli(args, { env: { WECHAT_APP_ID: APP } })).stderr).toBe(`wxo: ${APP} ${said}${chosen}`)
    expect((await world.cli([...args, '--app', APP])).stderr).toBe(`wxo: ${APP} ${said}\n`)
  })

  it('sends whoever asks for a dead letter to the right command', async () => {
    const result = await world.cli(['show', 'd-none', '--app', APP])
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('wxo dead show d-none') })
  })
})
