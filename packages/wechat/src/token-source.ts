/** A configured source of tokens, made into what can be asked: an endpoint that all processes share, or something local. */
import { readFile } from 'node:fs/promises'
import type { WechatClient } from './client.ts'
import type { ProxySettings } from './dispatcher.ts'
import { type TokenAnswer, tokenOfText } from './token-answer.ts'
import { askTokenServer } from './token-server.ts'
import type { TokenSourceConfig } from './token-source-schema.ts'

/** Asked by one process of all that serve the app; what it gives is shared through Redis. */
export interface SharedSource {
  readonly kind: 'shared'
  readonly parameter: string
  /** WeChat can be told to end a token that it keeps repeating. Nobody else can. */
  readonly canForce: boolean
  /** Asked again, it gives the same token while that is the current one. The classic endpoint ends it instead. */
  readonly canRepeat: boolean
  /** Never rejects. */
  fetch(force: boolean): Promise<TokenAnswer>
}

/** Read by each process for itself: what is there belongs to this machine, and reading it costs nobody anything. */
export interface LocalSource {
  readonly kind: 'local'
  readonly type: 'file' | 'static'
  readonly parameter: string
  /** How long what was read is good for, in ms. */
  readonly everyMs: number
  /** The token, or undefined where there is none. Never rejects. */
  read(): Promise<string | undefined>
}

/** Whoever stands before WeChat adds the token, as its cloud hosting does: none is fetched, and none is sent. */
export interface NoSource {
  readonly kind: 'none'
}

export type TokenSource = SharedSource | LocalSource | NoSource

export interface SourceOptions {
  readonly appid: string
  /** Present wherever the source needs it: the configuration sees to that. */
  readonly secret?: string | undefined
  readonly client: WechatClient
  readonly timeoutMs: number
  readonly proxy?: ProxySettings | undefined
}

/** A file longer than this holds no token. */
const FILE_CHARS_MAX = 4096

export function createTokenSource(config: TokenSourceConfig, options: SourceOptions): TokenSource {
  const { appid, secret = '', client, timeoutMs, proxy } = options
  switch (config.type) {
    case 'stable':
    case 'classic': {
      const kind = config.type
      const fetch = (forceRefresh: boolean) => client.fetchToken({ kind, appid, secret, forceRefresh })
      return {
        kind: 'shared',
        parameter: 'access_token',
        canForce: kind === 'stable',
        canRepeat: kind === 'stable',
        fetch,
      }
    }
    case 'http': {
      const { type: _type, parameter, allowHttp: _allowHttp, ...server } = config
      const fetch = () => askTokenServer({ ...server, timeoutMs, proxy })
      return { kind: 'shared', parameter, canForce: false, canRepeat: true, fetch }
    }
    case 'file': {
      const { parameter, path, everyS } = config
      return { kind: 'local', type: 'file', parameter, everyMs: everyS * 1000, read: () => readTokenFile(path) }
    }
    case 'none':
      return { kind: 'none' }
    case 'static': {
      const { parameter, value } = config
      return {
        kind: 'local',
        type: 'static',
        parameter,
        everyMs: Number.POSITIVE_INFINITY,
        read: () => Promise.resolve(value),
      }
    }
  }
}

/** A file that is missing or being written holds no token at the moment; its path is nobody's business. */
async function readTokenFile(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.length > FILE_CHARS_MAX ? undefined : tokenOfText(text)
}
