/** A consumer that settles what it gets without any WeChat: what a message comes to, its test says. */
import type { Reason } from '@wechat-outbox/messages'
import { type Consumer, type ConsumerOptions, createConsumer } from '@wechat-outbox/outbox/engine'

type Given = Pick<ConsumerOptions, 'appid' | 'store' | 'deliver'>
export type TestConsumerOptions = Given &
  Omit<Partial<ConsumerOptions>, 'report'> & { report?: Partial<ConsumerOptions['report']> }

const HOUR_MS = 3_600_000
const nothing = (): undefined => undefined

const SILENT: ConsumerOptions['report'] = {
  dead: nothing,
  replayed: nothing,
  task: nothing,
  windowDisagreed: nothing,
  expired: nothing,
  problem: nothing,
  stuck: nothing,
  suspended: nothing,
  resumed: nothing,
  stillHeld: nothing,
  unsettled: nothing,
  settledAgain: nothing,
}

export function createTestConsumer(options: TestConsumerOptions): Consumer {
  return createConsumer({
    explainFailure: (failedReason) => reasonOf('failed-elsewhere', failedReason),
    explainExpiry: () => reasonOf('expired', ''),
    isReady: () => true,
    probeToken: () => Promise.resolve(false),
    concurrency: 50,
    stalledAfterMs: 10_000,
    retain: { deliveredMs: HOUR_MS, deliveredMax: 1000, deadMs: 24 * HOUR_MS },
    rememberMs: HOUR_MS,
    replayPerSecond: 0,
    ...options,
    report: { ...SILENT, ...options.report },
  })
}

function reasonOf(name: string, errmsg: string): Reason {
  return { errcode: null, name, errmsg, meaning: { en: 'A test says so.', zh: '测试如此规定。' }, source: 'a test' }
}
