import { OutboxError } from '@wechat-outbox/outbox'
import { describe, expect, it } from 'vitest'
import { createLogger, type Logger } from '../src/index.ts'

function logTo(lines: string[], level = 'info'): Logger {
  return createLogger({ level, name: 'test', destination: { write: (line) => void lines.push(line) } })
}
function written(use: (log: Logger) => void, level?: string): { text: string; entries: Record<string, unknown>[] } {
  const lines: string[] = []
  use(logTo(lines, level))
  return { text: lines.join(''), entries: lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

/** What clients hang on their errors. */
const decorated = (message: string): Error =>
  Object.assign(new Error(message), {
    code: 'ECONNRESET',
    url: 'https://api.test/send?access_token=S3CRET',
    command: { name: 'set', args: ['key', 'S3CRET'] },
    headers: { authorization: 'Bearer S3CRET' },
    config: { auth: { password: 'S3CRET' } },
    request: { body: 'S3CRET' },
    previousErrors: [new Error('S3CRET')],
    cause: new Error('S3CRET'),
  })

describe('a line', () => {
  it('is one JSON object with its level in words, the time in UTC and the process', () => {
    const { text, entries } = written((log) => log.info({ event: 'a.b', n: 1, text: 'two\nlines' }))
    expect(text.endsWith('\n')).toBe(true)
    expect(text.trimEnd()).not.toContain('\n')
    expect(entries).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        process: 'test',
        event: 'a.b',
        n: 1,
        text: 'two\nlines',
      },
    ])
  })

  it('shows what a terminal would obey, in names and in values, and means the same', () => {
    const foreign = 'a\u001b[2J\u009b31m\u202eb\u200b您好 👩‍👩‍👧'
    const said = { event: 'a.b', [foreign]: { metadata: foreign }, err: new Error(foreign) }
    const { text, entries } = written((log) => log.info(said))
    expect(text.trimEnd()).not.toMatch(/[\p{Cc}\u202e\u200b]/u)
    expect(text).toContain('您好 👩‍👩‍👧')
    expect(entries).toMatchObject([{ [foreign]: { metadata: foreign }, err: { message: foreign } }])
  })

  it('is written from its level on', () => {
    const use = (log: Logger): void => {
      log.debug({ event: 'debug' })
      log.warn({ event: 'warn' })
    }
    expect(written(use).entries).toMatchObject([{ event: 'warn' }])
    expect(written(use, 'debug').entries).toHaveLength(2)
    expect(written(use, 'silent').entries).toHaveLength(0)
  })
})

describe('an error', () => {
  it.each(['err', 'error'])('under `%s` keeps its kind, text and code and loses everything else', (key) => {
    const { text, entries } = written((log) => log.error({ event: 'x', [key]: decorated('it broke') }))
    expect(entries[0]?.[key]).toEqual({ type: 'Error', message: 'it broke', code: 'ECONNRESET' })
    expect(text).not.toContain('S3CRET')
  })

  it('keeps its kind and code where they are ours', () => {
    const error = new OutboxError('WXO_UNAVAILABLE', 'Redis is not available', { cause: decorated('S3CRET') })
    const { text, entries } = written((log) => log.error({ event: 'x', err: error }))
    expect(entries[0]?.['err']).toEqual({
      type: 'OutboxError',
      message: 'Redis is not available',
      code: 'WXO_UNAVAILABLE',
    })
    expect(text).not.toContain('S3CRET')
  })

  it('loses the credentials and the query of every URL in its text', () => {
    const urls = [
      'redis://user:S3CRET@redis.test:6379',
      'rediss://:S3CRET@redis.test',
      'redis+sentinel://u:S3CRET@a.test/master',
      'https://api.test/cgi-bin/token?appid=wx1&secret=S3CRET',
    ]
    for (const url of urls) {
      const { text } = written((log) => log.error({ event: 'x', err: new Error(`cannot reach ${url} now`) }))
      expect(text).toContain('cannot reach')
      expect(text).not.toContain('S3CRET')
    }
  })

  it('is clean when it is all that is logged', () => {
    const { text } = written((log) => log.error(decorated('failed at https://api.test/x?access_token=S3CRET')))
    expect(text).toContain('ECONNRESET')
    expect(text).not.toContain('S3CRET')
    const { entries } = written((log) => log.error(decorated('S3CRET at redis://u:S3CRET@a'), 'in these words'))
    expect(entries[0]).toMatchObject({ msg: 'in these words', err: { code: 'ECONNRESET' } })
  })

  it.each([
    ['a text', 'https://u:S3CRET@a.test/?q=S3CRET'],
    ['an object', { url: 'S3CRET' }],
    ['nothing', undefined],
  ])('that is none does no harm: %s', (_name, thrown) => {
    const { text, entries } = written((log) => log.error({ event: 'x', err: thrown }))
    expect(entries).toMatchObject([{ event: 'x' }])
    expect(text).not.toContain('S3CRET')
  })
})
