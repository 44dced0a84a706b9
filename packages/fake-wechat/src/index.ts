// A WeChat on one machine that misbehaves on request, so that everything that sends can be tried and tested without WeChat.
export type { FakeControl } from './control.ts'
export type { ActiveFault, Fault, FaultName, FaultRule, PlainFaultName } from './faults.ts'
export type { Ledger, LedgerSummary, OtherCall, SendEntry, TokenCall } from './ledger.ts'
export { seededRandom } from './seeded-random.ts'
export { type FakeWechat, type FakeWechatOptions, startFakeWechat } from './server.ts'
export type { TokenSettings } from './tokens.ts'
export type { UserAction, WindowSettings } from './windows.ts'
export { type FakeApp, SANDBOX_APP_ID, SANDBOX_APP_SECRET } from './world.ts'
