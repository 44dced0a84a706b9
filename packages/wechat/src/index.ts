export type { TokenAnswer } from './answers.ts'
export {
  createWechatClient,
  type SendCall,
  type SendToken,
  type TokenCall,
  type WechatClient,
  type WechatClientOptions,
} from './client.ts'
