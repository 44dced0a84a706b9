import { describe, expect, it } from 'vitest'
import { cleanError, invalid, messageOf, messageWithCause, OutboxError, storeError } from '../src/errors.ts'
import { sharedWorld, text } from './support/world.ts'

const decorated = (message: string, extra: object = {}): Error =>
  Object.assign(new Error(message), { command: { name: 'set', args: ['S3CRET'] }, previousErrors: [], ...extra })

/** All that hangs on an error and its causes, as a logger may print it. */
function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? ''
  const own = Object.getOwnPropertyNames(error).map((name) => everythingOf(Reflect.get(error, name)))
  return own.join('\n')
}

describe('storeError', () => {
  it.each([
    ['ECONNREFUSED', decorated('connect ECONNREFUSED 127.0.0.1:1')],
    ['a closed connection', decorated('Connection is closed.')],
    ['no room in a word', decorated('ZOOM is not OOMPH')],
    ['a transaction refused for something else', decorated('EXECABORT', { previousErrors: [new Error('READONLY')] })],
    ['a text', 'nonsense'],
    ['nothing', undefined],
  ])('calls Redis unavailable: %s', (_name, error) => {
    expect(storeError(error)).toMatchObject({ code: 'WXO_UNAVAILABLE', message: 'Redis is not available', issues: [] })
  })

  it.each([
    ['a command', decorated("OOM command not allowed when used memory > 'maxmemory'.")],
    ['a script', decorated("ERR Error running script: -OOM command not allowed when used memory > 'maxmemory'.")],
    [
      'a transaction',
      decorated('EXECABORT Transaction discarded because of previous errors.', {
        previousErrors: [new Error('something'), new Error("OOM command not allowed when used memory > 'maxmemory'.")],
      }),
    ],
  ])('calls Redis full: %s', (_name, error) => {
    expect(storeError(error)).toMatchObject({ code: 'WXO_FULL' })
  })

  it('leaves an error of ours as it is', () => {
    const error = invalid([{ path: 'a', message: 'b' }])
    expect(storeError(error)).toBe(error)
  })

  it('keeps nothing of the command that failed', () => {
    const error = storeError(decorated('OOM', { previousErrors: [decorated('OOM S3CRET')] }))
    expect(everythingOf(error)).not.toContain('S3CRET')
    expect(error.cause).toMatchObject({ message: 'OOM' })
  })
})

describe('messageWithCause', () => {
  it('says what Redis has answered where nothing else is said', () => {
    const refused = storeError(decorated('NOREPLICAS Not enough good replicas to write.'))
    expect(messageWithCause(refused)).toBe('Redis is not available: NOREPLICAS Not enough good replicas to write.')
    expect(messageWithCause(storeError(decorated('OOM')))).toBe(
      'Redis has reached its memory limit and takes no new messages',
    )
    expect(messageWithCause(new OutboxError('WXO_UNAVAILABLE', 'Redis did not answer in time'))).toBe(
      'Redis did not answer in time',
    )
    expect(messageWithCause(new Error('it broke', { cause: new Error('S3CRET') }))).toBe('it broke')
  })
})

describe('cleanError', () => {
  it('keeps the text and the code, and loses the command and the stack', () => {
    const clean = cleanError(decorated('it broke', { code: 'ECONNRESET', errno: -104, cause: new Error('S3CRET') }))
    expect(Object.getOwnPropertyNames(clean).toSorted()).toEqual(['code', 'message', 'stack'])
    expect(clean).toMatchObject({ message: 'it broke', code: 'ECONNRESET', stack: 'Error: it broke' })
  })

  it('has no code where there was none', () => {
    expect('code' in cleanError(decorated('x', { code: 7 }))).toBe(false)
  })
})

describe('messageOf', () => {
  it('hides credentials and queries of URLs', () => {
    const said = 'at redis://u:S3CRET@a.test:1/2 and rediss://:S3CRET@[::1] and "https://b.test/x?token=S3CRET" done'
    expect(messageOf(new Error(said))).toBe(
      'at redis://***@a.test:1/2 and rediss://***@[::1] and "https://b.test/x?***" done',
    )
  })

  it.each([
    ['/cgi-bin/token?access_token=S3CRET failed', '/cgi-bin/token?*** failed'],
    ['GET https://b.test/a?S3CRET, refused', 'GET https://b.test/a?*** refused'],
    ['asked b.test?token=S3CRET&x=1', 'asked b.test?***'],
    ["at 'redis://b.test:1/2?password=S3CRET'", "at 'redis://b.test:1/2?***'"],
    ['https://b.test/?a?b=S3CRET', 'https://b.test/?***'],
    ['https://b.test/??S3CRET', 'https://b.test/?***'],
    ['?k%65y=S3CRET', '?***'],
  ])('hides the query of %s', (said, shown) => expect(messageOf(new Error(said))).toBe(shown))

  it.each([
    'Is `start` running already? --data-dir gives a second one its own folder.',
    'What? "Why?" (is it?) no?',
    'Is /v1/apps right? Or https://b.test/?',
    'Is it on/off?) Yes.',
    'wx1234567890abcdef？是否正确?请检查',
  ])('leaves prose as it is: %s', (said) => expect(messageOf(new Error(said))).toBe(said))

  // A pattern that goes back over a text like these takes minutes, beyond the limit of a test.
  it.each(['?', '/', '/?', '?a', '/x?', ' ?'])('comes to an end for a text of %s alone', (piece) => {
    expect(messageOf(new Error(piece.repeat(200_000 / piece.length)))).not.toBe('')
  })

  it('is short, and there even where the error has no text', () => {
    expect(messageOf(new Error('x'.repeat(10_000)))).toHaveLength(500)
    expect(messageOf(new TypeError(''))).toBe('TypeError')
    expect(messageOf('text')).toBe('text')
  })
})

describe('invalid', () => {
  it('names the first five problems and counts the rest', () => {
    const issues = Array.from({ length: 7 }, (_, n) => ({ path: n === 0 ? '' : `p${n}`, message: 'is bad' }))
    const error = invalid(issues)
    expect(error).toMatchObject({ code: 'WXO_INVALID', issues })
    expect(error.message).toBe(
      'the message is refused: request is bad; p1 is bad; p2 is bad; p3 is bad; p4 is bad, and 2 more',
    )
  })
})

describe('a Redis that has reached its memory limit', () => {
  const world = sharedWorld()

  it('refuses messages with WXO_FULL, stores nothing of them, and takes the next once there is room', async () => {
    const outbox = world.outbox()
    await outbox.send(text('o-before'))
    const before = await world.redis.dbsize()
    await world.redis.config('SET', 'maxmemory', '1')
    for (const request of [text('o-full', 'S3CRET'), { ...text('o-full', 'S3CRET'), idempotencyKey: 'full' }]) {
      const error: unknown = await outbox.send(request).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(OutboxError)
      expect(error).toMatchObject({ code: 'WXO_FULL' })
      expect(everythingOf(error)).not.toContain('S3CRET')
    }
    expect(await world.redis.dbsize()).toBe(before)
    await world.redis.config('SET', 'maxmemory', '0')
    await expect(outbox.send({ ...text('o-full'), idempotencyKey: 'full' })).resolves.toMatchObject({
      duplicate: false,
    })
  })
})
