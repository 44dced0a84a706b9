import type { Attempt, DeadLetter, JobData } from '@wechat-outbox/messages'
import type { Run } from '@wechat-outbox/outbox/engine'
import { createLogger } from '@wechat-outbox/runtime'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createWorkerMetrics } from '../src/metrics.ts'
import { createRecorder, type Recorder } from '../src/record.ts'

const APP = 'wx0123456789abcdef'
const data: JobData = {
  v: 1,
  touser: 'o-anna',
  msgtype: 'text',
  text: { content: 'C0NTENT' },
  metadata: { order: 7 },
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
}
const run: Run = {
  appid: APP,
  id: 'm-1',
  data,
  msgtype: 'text',
  acceptedAt: 1,
  signal: new AbortController().signal,
  now: () => 1,
  admit: () => Promise.resolve({ kind: 'go', tries: 0, leaseFrom: 0 }),
  waive: () => Promise.resolve(),
  signalApp: () => Promise.resolve(false),
  unmark: () => Promise.resolve(true),
  lastAttempt: () => undefined,
}
const attempt = (given: Partial<Attempt> = {}): Attempt => ({
  at: 1,
  outcome: 'delivered',
  ms: 12,
  errcode: 0,
  errmsg: 'ok',
  rid: '1-2-3',
  ...given,
})

function logged(level: string, use: (recorder: Recorder) => void): Record<string, unknown>[] {
  const lines: string[] = []
  use(
    createRecorder(
      createLogger({ level, name: 'worker', destination: { write: (line) => void lines.push(line) } }),
      APP,
      createWorkerMetrics(new Registry()).forApp(APP),
    ),
  )
  expect(lines.join('')).not.toContain('C0NTENT')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}
const ANSWERED = { kind: 'answered', errcode: 0, errmsg: 'ok' } as const
const attempted = (level: string, given: Partial<Attempt> = {}) =>
  logged(level, (recorder) => recorder.attempted({ run, data, attempt: attempt(given), outcome: ANSWERED, number: 3 }))

describe('an attempt', () => {
  it('is one line with everything but content and openid', () => {
    expect(attempted('info')).toEqual([
      {
        level: 'info',
        time: expect.any(String),
        process: 'worker',
        event: 'delivery.attempted',
        appid: APP,
        messageId: 'm-1',
        msgtype: 'text',
        attempt: 3,
        errcode: 0,
        outcome: 'delivered',
        durationMs: 12,
        rid: '1-2-3',
        metadata: { order: 7 },
        traceparent: data.traceparent,
      },
    ])
  })

  it('names the recipient only at debug', () => {
    for (const level of ['info', 'warn']) {
      expect(JSON.stringify(attempted(level, { outcome: 'dead' }))).not.toContain('o-anna')
    }
    expect(attempted('debug')).toMatchObject([{ touser: 'o-anna' }])
    expect(attempted('trace')).toMatchObject([{ touser: 'o-anna' }])
  })

  it.each([
    ['delivered', 'info'],
    ['token-refreshed', 'info'],
    ['retry', 'warn'],
    ['dead', 'warn'],
    ['token-unavailable', 'warn'],
    ['not-sent', 'warn'],
    ['refused', 'warn'],
    ['unsure', 'warn'],
    ['throttled', 'warn'],
    ['suspended', 'warn'],
  ] as const)('that came to %s is logged at %s', (outcome, level) => {
    expect(attempted('info', { outcome })).toMatchObject([{ level, outcome }])
    expect(attempted('warn', { outcome })).toHaveLength(level === 'warn' ? 1 : 0)
    expect(attempted('silent', { outcome })).toEqual([])
  })

  it('leaves out what it does not have', () => {
    const [line] = logged('info', (recorder) =>
      recorder.attempted({
        run,
        data: { v: 1, touser: 'o-anna', msgtype: 'text', text: { content: 'C0NTENT' } },
        attempt: { at: 1, outcome: 'not-sent', ms: 0 },
        outcome: { kind: 'not-sent', detail: 'refused' },
        number: 1,
      }),
    )
    expect(Object.keys(line ?? {})).not.toEqual(expect.arrayContaining(['errcode', 'rid', 'metadata', 'traceparent']))
  })
})

describe('an ending', () => {
  const letter: DeadLetter = {
    v: 1,
    messageId: 'm-1',
    message: data,
    reason: {
      errcode: 45015,
      name: 'reply-window-closed',
      errmsg: 'response out of time limit',
      rid: '1-2-3',
      meaning: { en: '', zh: '' },
      source: 'test',
    },
    attempts: [attempt(), attempt()],
    acceptedAt: 1,
    deadAt: 2,
  }

  it('of a dead message names its reason and its dead letter, and neither content nor openid', () => {
    const lines = logged('trace', (recorder) => recorder.dead({ id: 'd-1', letter }))
    expect(lines).toMatchObject([
      {
        level: 'warn',
        event: 'message.dead',
        appid: APP,
        messageId: 'm-1',
        deadLetter: 'd-1',
        errcode: 45015,
        reason: 'reply-window-closed',
        rid: '1-2-3',
        attempts: 2,
      },
    ])
    expect(JSON.stringify(lines)).not.toContain('o-anna')
  })

  it('of every other kind is one line', () => {
    const lines = logged('info', (recorder) => {
      recorder.replayed({ id: 'm-1-1', replayOf: 'd-1' })
      recorder.expired(3)
      recorder.newerData(run, 2)
      recorder.problem({ what: 'the sweep', error: 'it broke', id: 'm-1' })
    })
    expect(lines).toMatchObject([
      { level: 'info', event: 'message.replayed', messageId: 'm-1-1', replayOf: 'd-1' },
      { level: 'info', event: 'dead-letters.expired', count: 3 },
      { level: 'warn', event: 'message.newer', messageId: 'm-1', v: 2 },
      { level: 'error', event: 'worker.problem', what: 'the sweep', error: 'it broke', id: 'm-1', times: 1 },
    ])
    expect(lines.every((line) => line['appid'] === APP)).toBe(true)
    expect(JSON.stringify(lines)).not.toContain('o-anna')
  })
})

describe('a task', () => {
  it('is told when its letters are found and when it ends, with who started it and without whom it is about', () => {
    const task = {
      id: 'r-1',
      action: 'replay',
      filter: { touser: ['o-anna'] },
      status: 'done',
      total: 3,
      done: 2,
      skipped: 1,
      failed: 0,
      notReplayable: 0,
      takenBack: 0,
      perSecond: null,
      startedAt: '2026-11-23T08:00:00.000Z',
      by: 'anna@console',
    } as const
    const [line] = logged('info', (recorder) => recorder.task(task, 'ended'))
    expect(line).toMatchObject({
      event: 'task.ended',
      appid: APP,
      task: 'r-1',
      action: 'replay',
      by: 'anna@console',
      status: 'done',
      total: 3,
      done: 2,
      skipped: 1,
    })
    expect(JSON.stringify(line)).not.toContain('o-anna')
  })
})
