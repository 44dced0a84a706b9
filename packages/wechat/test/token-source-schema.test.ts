import { PLAIN_ERRORS } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { needsSecret, tokenSourceSchema } from '../src/token-source-schema.ts'

const KEY = 'k3y0f0th3s3rv3r'
const url = 'https://tokens.example.com/wx?key=1'

function problemsOf(source: unknown): string[] {
  const { error } = tokenSourceSchema.safeParse(source, PLAIN_ERRORS)
  const problems = (error?.issues ?? []).map(({ path, message }) => `${path.join('.')} ${message}`)
  expect(problems.join('\n')).not.toContain(KEY)
  return problems
}

describe('a source of tokens', () => {
  it.each([
    [{ type: 'stable' }, { type: 'stable' }],
    [{ type: 'classic' }, { type: 'classic' }],
    [{ type: 'none' }, { type: 'none' }],
    [
      { type: 'http', url },
      { type: 'http', url, method: 'GET', headers: {}, parameter: 'access_token', lifetimeS: 300, allowHttp: false },
    ],
    [
      { type: 'file', path: '/t' },
      { type: 'file', path: '/t', parameter: 'cloudbase_access_token', everyS: 5 },
    ],
    [
      { type: 'static', value: 'T0K-en_' },
      { type: 'static', value: 'T0K-en_', parameter: 'access_token' },
    ],
  ])('has a default for what is not said: %j', (given, whole) => {
    expect(tokenSourceSchema.parse(given)).toEqual(whole)
  })

  it('needs the secret only where WeChat itself is asked', () => {
    const sources = [{ type: 'stable' }, { type: 'classic' }, { type: 'http', url }, { type: 'file', path: '/t' }]
    expect(sources.map((source) => needsSecret(tokenSourceSchema.parse(source)))).toEqual([true, true, false, false])
  })

  it.each([
    [{ type: KEY }, ['type must be stable, classic, http, file, static or none']],
    [{}, ['type must be stable, classic, http, file, static or none']],
    [{ type: 'stable', force: true }, [' has a field that is not known here']],
    [{ type: 'http' }, ['url must be a URL']],
    [{ type: 'http', url: KEY }, ['url is not a valid URL']],
    [{ type: 'http', url: `https://u:${KEY}@h/` }, ['url must not contain credentials: give them in headers']],
    [{ type: 'http', url: `${url}#${KEY}` }, ['url must not have a fragment']],
    [{ type: 'http', url, method: 'PUT' }, ['method must be GET or POST']],
    [{ type: 'http', url, headers: { a: `${KEY}\n` } }, ['headers.a must be printable ASCII']],
    [{ type: 'http', url, headers: { 'a b': KEY } }, ['headers must have names of letters, digits and dashes']],
    [{ type: 'http', url, parameter: 'a&b' }, ['parameter must be the name of a query parameter, in lower case']],
    [{ type: 'http', url, tokenField: 'a..b' }, ['tokenField must be names separated by dots: data.token']],
    [{ type: 'http', url, lifetimeField: '' }, ['lifetimeField must be names separated by dots: data.token']],
    [{ type: 'file', path: 'token' }, ['path must be an absolute path']],
    [{ type: 'static', value: `<${KEY}>` }, ['value must look like an access token']],
  ])('is refused by its path and not by its value: %j', (source, problems) => {
    expect(problemsOf(source)).toEqual(problems)
  })

  it('does not let a configuration say what HTTP says by itself', () => {
    expect(problemsOf({ type: 'http', url, headers: { Host: KEY } })[0]).toMatch(/^headers must not set any of host/u)
  })

  it.each([
    ['https://tokens.example.com/', undefined, 0],
    ['http://127.0.0.1:8080/', undefined, 0],
    ['http://localhost/', undefined, 0],
    ['http://tokens.internal/', undefined, 1],
    ['http://10.0.0.7/', undefined, 1],
    ['http://10.0.0.7/', true, 0],
    ['ftp://10.0.0.7/', true, 1],
  ])('is asked over plain http only here, or where that is allowed: %s %s', (address, allowHttp, count) => {
    const source = { type: 'http', url: address, ...(allowHttp === undefined ? {} : { allowHttp }) }
    expect(problemsOf(source)).toHaveLength(count)
  })
})
