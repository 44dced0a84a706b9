export { type TokenAnswer, tokenOfText } from './answers.ts'
export { isLoopback } from './base-url.ts'
export {
  createWechatClient,
  type SendCall,
  type SendToken,
  type TokenCall,
  type WechatClient,
  type WechatClientOptions,
} from './client.ts'
export { askTokenServer, type TokenServer } from './token-server.ts'
