/**
 * Two SDKs for WeChat as they are published, pointed at the gateway by the option that each has for it. They have no types of
 * their own: these name what the tests use.
 */
import type { Readable } from 'node:stream'
// @ts-expect-error the package has no types
import CoWechatApi from 'co-wechat-api'
// @ts-expect-error the package has no types
import * as messagingApi from 'messaging-api-wechat'
import { APP } from './system.ts'

interface Ok {
  readonly errcode: number
  readonly errmsg: string
}

interface Media {
  readonly media_id: string
  readonly type: string
}

type Card = Readonly<Record<'title' | 'pagepath' | 'thumb_media_id', string>>

/** Asks for a new token when it is told 40001, and repeats the call. */
export interface CoWechatApi {
  prefix: string
  readonly store?: { readonly accessToken: string }
  setOpts(options: { readonly timeout: number }): void
  sendText(openid: string, text: string): Promise<Ok>
  sendImage(openid: string, mediaId: string): Promise<Ok>
  sendMiniProgram(openid: string, card: Card): Promise<Ok>
  uploadMedia(file: Buffer, type: string, ...more: [filename: string, mime: string]): Promise<Media>
  request(url: string, options: object): Promise<Ok>
}

/** Asks for a new token when the old one has had its time, and not before. */
export interface MessagingApiWechat {
  readonly accessToken: string
  readonly axios: { post(path: string, body: object): Promise<{ readonly data: Ok }> }
  sendText(openid: string, text: string): Promise<Ok>
  sendImage(openid: string, mediaId: string): Promise<Ok>
  sendMiniProgramPage(openid: string, card: Card): Promise<Ok>
  sendRawBody(body: object): Promise<Ok>
  uploadMedia(type: string, file: Readable): Promise<Media>
}

export function coWechatApi(gateway: string, secret: string): CoWechatApi {
  const api = new (CoWechatApi as new (appid: string, secret: string) => CoWechatApi)(APP, secret)
  api.prefix = `${gateway}/cgi-bin/`
  return api
}

export function messagingApiWechat(gateway: string, secret: string): MessagingApiWechat {
  const { WechatClient } = messagingApi as { WechatClient: { connect(options: object): MessagingApiWechat } }
  return WechatClient.connect({ appId: APP, appSecret: secret, origin: gateway })
}
