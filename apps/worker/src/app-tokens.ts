/** The tokens of one app, from the source that its configuration names. */
import { createTokenStore, type News, type Store } from '@wechat-outbox/outbox/engine'
import { type Logger, proxyOf } from '@wechat-outbox/runtime'
import { type AppConfig, createTokenSource, DEFAULT_TOKEN_SOURCE, type WechatClient } from '@wechat-outbox/wechat'
import type { WorkerConfig } from './env.ts'
import { createLocalTokens } from './local-tokens.ts'
import { createNoTokens } from './no-tokens.ts'
import type { RefreshResult } from './token-refresh.ts'
import { createTokens, type Tokens } from './tokens.ts'

export interface AppTokensOptions {
  readonly config: Pick<WorkerConfig, 'SEND_TIMEOUT_MS' | 'HTTP_PROXY' | 'HTTPS_PROXY' | 'NO_PROXY'>
  readonly log: Logger
  readonly store: Store
  readonly news: News
  readonly tokenClient: WechatClient
  readonly onRefresh?: ((result: RefreshResult) => void) | undefined
}

export function createAppTokens(app: AppConfig, options: AppTokensOptions): Tokens {
  const { appid, secret, token = DEFAULT_TOKEN_SOURCE } = app
  const { log, store, news, tokenClient: client, onRefresh } = options
  const fetchTimeoutMs = options.config.SEND_TIMEOUT_MS
  const proxy = proxyOf(options.config)
  const source = createTokenSource(token, { appid, secret, client, timeoutMs: fetchTimeoutMs, proxy })
  const common = { appid, log, onRefresh }
  if (source.kind === 'none') return createNoTokens({ appid, log })
  return source.kind === 'local'
    ? createLocalTokens({ ...common, source })
    : createTokens({ ...common, source, store: createTokenStore(store, appid, news), fetchTimeoutMs })
}
