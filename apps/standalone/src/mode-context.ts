import type { Environment } from '@wechat-outbox/runtime'
import type { Options } from './options.ts'
import type { Stack } from './stack.ts'
import type { Stop } from './stop.ts'

/** What both modes get. */
export interface ModeContext {
  readonly options: Options
  readonly env: Environment
  readonly stop: Stop
  readonly opened: Stack
}
