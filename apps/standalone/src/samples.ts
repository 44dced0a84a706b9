/** The sample messages, as data: every kind, and every outcome that a message can come to. */
import type { SendRequest } from '@wechat-outbox/messages'

/** What the fake is set to for the person, or does to the message, before it is sent. */
export type Circumstance =
  /** The person has just written. */
  | 'open'
  /** WeChat answers -1, system busy, to the first call. */
  | 'busy-once'
  /** The person has not written for two days: 45015. */
  | 'window-closed'
  /** All answers that the person's message allowed have been sent: 45047. */
  | 'count-used-up'
  /** The same, and the message may wait: it goes out once the person has written again. */
  | 'waits-for-user'
  /** There is no such person: 40003. */
  | 'unknown-openid'
  /** WeChat has forgotten the access token since the message before: 40001. */
  | 'token-dead'

type Content<M extends SendRequest> = M extends SendRequest ? Omit<M, 'touser'> : never

export interface Sample {
  /** How the table calls it. */
  readonly name: string
  /** The person's name; an openid is made of it. */
  readonly to: string
  readonly circumstance: Circumstance
  readonly content: Content<SendRequest>
  /** Its dead letter is replayed once the person has written again. */
  readonly replay?: true
}

const text = (content: string): Sample['content'] => ({ msgtype: 'text', text: { content } })
const image = (mediaId: string): Sample['content'] => ({ msgtype: 'image', image: { media_id: mediaId } })

const link: Sample['content'] = {
  msgtype: 'link',
  link: {
    title: '秋季新品 🍁',
    description: '第一批新品已经到店',
    url: 'https://shop.example/autumn',
    thumb_url: 'https://shop.example/autumn.png',
  },
}

const page: Sample['content'] = {
  msgtype: 'miniprogrampage',
  miniprogrampage: { title: '我的订单', pagepath: 'pages/order?id=1024', thumb_media_id: 'sample-thumb' },
}

export const SAMPLES: readonly Sample[] = [
  { name: 'Chinese and emoji', to: 'Anna', circumstance: 'open', content: text('您的订单已发货 📦，预计明天送达 🎉') },
  { name: 'a picture', to: 'Bao', circumstance: 'open', content: image('sample-media') },
  { name: 'a link', to: 'Chen', circumstance: 'open', content: link },
  { name: 'a Mini Program page', to: 'Dana', circumstance: 'open', content: page },
  { name: 'WeChat busy once', to: 'Emil', circumstance: 'busy-once', content: text('您好，请问有什么可以帮您？') },
  {
    name: 'reply window closed',
    to: 'Fang',
    circumstance: 'window-closed',
    content: text('您的退款已到账 💰'),
    replay: true,
  },
  { name: 'reply count used up', to: 'Gao', circumstance: 'count-used-up', content: image('sample-media') },
  {
    name: 'waits for its user',
    to: 'Jun',
    circumstance: 'waits-for-user',
    content: { ...text('您的预约已确认 ✅'), onClosed: 'hold' },
  },
  { name: 'openid unknown', to: 'Hana', circumstance: 'unknown-openid', content: link },
  { name: 'access token died', to: 'Ines', circumstance: 'token-dead', content: page },
]

/** The errcode that a circumstance makes final, so that the message becomes a dead letter. */
export const FINAL_ERRCODES: Partial<Record<Circumstance, '45015' | '45047' | '40003'>> = {
  'window-closed': '45015',
  'count-used-up': '45047',
  'unknown-openid': '40003',
}
