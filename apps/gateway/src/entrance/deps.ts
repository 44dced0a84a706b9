/** What the entrance needs of the rest of the gateway. */
import type { TextRule } from '@wechat-outbox/messages'
import type { Outbox } from '@wechat-outbox/outbox'
import type { Logger } from '@wechat-outbox/runtime'
import type { ProxySettings } from '@wechat-outbox/wechat'
import type { Access } from '../access.ts'
import type { KnownApps } from '../known-apps.ts'
import type { RedisLink } from '../redis-link.ts'
import type { WechatTokens } from './wechat-token.ts'

export interface EntranceDeps {
  readonly link: RedisLink
  readonly outbox: Pick<Outbox, 'send'>
  /** The Outbox's own. */
  readonly texts: TextRule
  readonly access: Access
  readonly log: Logger
  /** Messages are taken for these apps alone. */
  readonly knownApps: KnownApps
  /** Where WeChat is, for what is passed on. */
  readonly wechatBaseUrl: string
  readonly allowHttp: boolean
  readonly proxy?: ProxySettings | undefined
  /** WeChat's own, for what is passed on. */
  readonly tokens: WechatTokens
}
