import type { Environment } from '@wechat-outbox/runtime'
import { describe, expect, it } from 'vitest'
import { rereadApps } from '../../src/env.ts'
import { readWorkerConfig } from '../../src/index.ts'
import { appsFiles, ONE, one, problemsOf, TWO } from '../support/env.ts'

const { fileOf } = appsFiles()

describe('callbacks', () => {
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  const url = 'https://hooks.example.com/wechat?key=1'
  const ofVariables = { ...one, CALLBACK_URL: url, CALLBACK_SECRET: secret }

  it('are those of the one app of the variables, or of an app of the file', () => {
    expect(readWorkerConfig(ofVariables).apps).toEqual([{ ...ONE, callback: { url, secret } }])
    const callback = { url, secret, events: ['message.dead', 'app.suspended'] }
    expect(readWorkerConfig(fileOf([{ ...ONE, callback }, TWO])).apps).toEqual([{ ...ONE, callback }, TWO])
  })

  it.each([
    ['no key', { url }, ['callback.secret must be whsec_ and the base64 of 24 to 64 bytes']],
    [
      'a key that is too short',
      { url, secret: 'whsec_c2hvcnQ=' },
      ['callback.secret must be whsec_ and the base64 of 24 to 64 bytes'],
    ],
    [
      'a key that is no base64',
      { url, secret: `${secret}!` },
      ['callback.secret must be whsec_ and the base64 of 24 to 64 bytes'],
    ],
    [
      'a key without its prefix',
      { url, secret: secret.slice(6) },
      ['callback.secret must be whsec_ and the base64 of 24 to 64 bytes'],
    ],
    [
      'a password in its URL',
      { url: 'https://u:p@h/', secret },
      ['callback.url must be an http or https URL without user, password and fragment'],
    ],
    ['another field', { url, secret, retries: 3 }, ['callback has a field other than url, secret, events']],
    [
      'an event that there is not',
      { url, secret, events: ['message.sent'] },
      [expect.stringMatching(/callback\.events\.0 must be a list of message\.delivered, /)],
    ],
    ['no events', { url, secret, events: [] }, [expect.stringMatching(/callback\.events must be a list of/)]],
    [
      'an event twice',
      { url, secret, events: ['message.dead', 'message.dead'] },
      [expect.stringMatching(/each of them once$/)],
    ],
  ])('are refused with %s', (_, callback, problems) => {
    expect(problemsOf(fileOf([{ ...ONE, callback }]))).toEqual(
      problems.map((problem) => (typeof problem === 'string' ? `WECHAT_APPS_FILE 0.${problem}` : problem)),
    )
  })

  it('go to public addresses by https, unless a host is named', () => {
    const problemOf = (to: string, more: Environment = {}) => problemsOf({ ...ofVariables, CALLBACK_URL: to, ...more })
    const https = `the callback.url of ${ONE.appid} must be https, unless CALLBACK_ALLOWED_HOSTS names its host`
    const address = `the callback.url of ${ONE.appid} must have a public address, unless CALLBACK_ALLOWED_HOSTS names its host`
    expect(problemOf('http://hooks.example.com/')).toEqual([https])
    expect(problemOf('http://127.0.0.1:9/')).toEqual([https])
    for (const host of ['10.0.0.7', '0x7f.1', '[::1]', '[::ffff:10.0.0.7]', 'localhost', '169.254.169.254']) {
      expect(problemOf(`https://${host}/`)).toEqual([address])
    }
    const named = { CALLBACK_ALLOWED_HOSTS: 'inside.example.com,10.0.0.7,::1' }
    for (const to of ['http://inside.example.com/', 'http://10.0.0.7:8080/', 'https://[::1]/']) {
      expect(problemOf(to, named)).toEqual([])
    }
    expect(problemOf(url, { CALLBACK_ALLOWED_HOSTS: 'http://h' })).toEqual([
      'CALLBACK_ALLOWED_HOSTS must be names or addresses without ports, separated by commas',
    ])
    const file = fileOf([{ ...ONE, callback: { url: 'http://h/', secret } }])
    expect(() => rereadApps({ WECHAT_APPS_FILE: file['WECHAT_APPS_FILE'] })).toThrow(https)
  })

  it('need both variables, and an app', () => {
    expect(problemsOf({ ...one, CALLBACK_URL: url })).toEqual([
      'CALLBACK_SECRET is missing: CALLBACK_URL is of no use without it',
    ])
    expect(problemsOf({ ...one, CALLBACK_SECRET: secret })).toEqual([
      'CALLBACK_URL is missing: CALLBACK_SECRET is of no use without it',
    ])
    expect(problemsOf({ ...fileOf([TWO]), CALLBACK_URL: url, CALLBACK_SECRET: secret })).toEqual([
      'WECHAT_APP_ID is missing: CALLBACK_URL is for the events of that app',
    ])
    expect(problemsOf({ ...ofVariables, CALLBACK_URL: 'nowhere', CALLBACK_SECRET: 'x' })).toEqual([
      'CALLBACK_URL must be an http or https URL without user, password and fragment',
      'CALLBACK_SECRET must be whsec_ and the base64 of 24 to 64 bytes',
    ])
  })
})
