export { type AppConfig, appsFileSchema, secretlessAppsFileSchema } from './app-config.ts'
export { baseUrlProblems, isLoopback } from './base-url.ts'
export { type CallbackConfig, callbackFields, callbackKey, receiverProblem } from './callback-schema.ts'
export {
  createWechatClient,
  type SendCall,
  type SendToken,
  type TokenCall,
  type UploadCall,
  type WechatClient,
  type WechatClientOptions,
} from './client.ts'
export { type ProxySettings, proxyProblems } from './dispatcher.ts'
export { createForwarder, type Forwarded, type Forwarder } from './forward.ts'
export { createGate, type Gate } from './gate.ts'
export { type PictureKind, pictureHead, pictureKindOf } from './picture.ts'
export { createPublicClient, type PublicAnswer, type PublicClient, type PublicRequest } from './public-client.ts'
export { type PushConfig, pushFields } from './push-schema.ts'
export { type Reached, reachWechat } from './reach.ts'
export { createRelay, type Relay, type Relayed, type RelayedCall, type RelayOptions } from './relay.ts'
export { retryAfterMsOf } from './retry-after.ts'
export { type TokenAnswer, tokenOfText } from './token-answer.ts'
export { askTokenServer, type TokenServer } from './token-server.ts'
export {
  createTokenSource,
  type LocalSource,
  type SharedSource,
  type TokenSource,
} from './token-source.ts'
export { DEFAULT_TOKEN_SOURCE, type TokenSourceConfig, tokenSourceSchema } from './token-source-schema.ts'
export type { Uploaded } from './upload.ts'
