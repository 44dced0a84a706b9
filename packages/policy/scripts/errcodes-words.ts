/** The prose of the page of return codes, in both languages; rows and numbers come from the tables of `src/errcodes.ts`. */
import type { ErrcodeAction } from '../src/errcodes.ts'

export interface Words {
  readonly title: string
  /** Leads to the same page in the other language. */
  readonly other: string
  readonly intro: string
  readonly actionsTitle: string
  readonly actions: Readonly<Record<ErrcodeAction, string>>
  /** An action as the tables name it: its name, and beside it what that means where the page is not in English. */
  readonly actionName: (action: ErrcodeAction) => string
  readonly actionLine: (action: ErrcodeAction, text: string) => string
  readonly end: string
  readonly sendTitle: string
  readonly sendColumns: readonly string[]
  readonly suspendAt: (count: number) => string
  readonly afterSend: string
  readonly tokenTitle: string
  readonly tokenIntro: string
  readonly ownTitle: string
  readonly ownIntro: (source: string) => string
  readonly ownColumns: readonly string[]
  readonly media: string
  readonly callsTitle: string
  readonly callsColumns: readonly string[]
  readonly calls: readonly (readonly string[])[]
  readonly source: (source: string) => string
}

export const en: Words = {
  title: '# Return codes',
  other: '[简体中文](errcodes.zh-CN.md)',
  intro:
    'What WeChat may answer and what is done about it. This page is generated from `packages/policy/src/errcodes.ts`; a test compares the two. Only the code decides: WeChat changes the text beside it without notice.',
  actionsTitle: '## Actions',
  actions: {
    delivered: 'The message has reached its end. It is never sent again.',
    retry:
      'The message is sent again after a pause that grows with every try and is drawn at random, up to `RETRY_ATTEMPTS_MAX` tries. Then it is dead as `retries-exhausted`. For these two codes that holds whatever `ifUnsure` says. Users report -1 also for a page whose `thumb_media_id` is wrong: nothing tells that from a busy WeChat, so such a message costs all its tries, 16 by default, before it is dead.',
    'refresh-token':
      'The shared access token is replaced, unless it is the current one and only young or refused by chance, and the message is sent again; this costs it no try. If fresh tokens are refused as well, three in a row, or the current one for 15 seconds, the app is suspended. See [tokens.md](tokens.md).',
    'renew-media':
      'A media id that the outbox got for a picture’s URL is forgotten, the picture is uploaded once more and the message sent again, once within the same try. A producer’s own id, or a second refusal: **dead**. See [media.md](media.md).',
    dead: 'The message becomes a dead letter with the reason. It can be replayed, which sends it as a new message.',
    'reply-window':
      'WeChat takes nothing more for this person until the person does something. The message becomes a dead letter; with `onClosed: "hold"` it waits for the user instead and loses no try. See [reply-windows.md](reply-windows.md).',
    wait: 'The message steps back for a moment and loses no try. Five such answers in a row suspend the app.',
    'throttle-minute': 'The app is held for a minute. Its messages wait in order, and none of them loses a try.',
    'throttle-day':
      'WeChat says that the daily quota is gone. The app is held and probed like a suspended one, because WeChat says so at times with the quota unused, and gives more on request. Messages wait in order, and none of them loses a try.',
    suspend:
      'The fault is in the settings of the app, not in the message. The app is suspended and probed after 15 s, 30 s, then every minute, its messages wait in order, and none of them loses a try. Other apps go on. See [suspension.md](suspension.md).',
  },
  actionName: (action) => action,
  actionLine: (action, text) => `- **${action}**: ${text}`,
  end: 'A wait ends at the latest when the message expires, and a retry that could only come after that is not made: the message is dead as `expired`.',
  sendTitle: '## Answers to a send',
  sendColumns: ['errcode', 'name', 'action', 'meaning', 'source'],
  suspendAt: (count) => `; suspend at ${count} in a row`,
  afterSend:
    'An action marked *suspend at n in a row* turns into **suspend** when that many such answers come one after another without a success between: then the fault is the app’s. A code that is not listed is dead as `unknown` and keeps its number and text; five calls in a row, for at least two people, that brought such codes or no answer of WeChat’s suspend the app, and no more messages die of it (see [suspension.md](suspension.md)).',
  tokenTitle: '## Answers of the token endpoints',
  tokenIntro:
    '**suspend** says that the credentials or the settings of the app are wrong, **throttle** that the endpoint was asked too often; either holds the app at once, and its probes ask the endpoint: after 15 s, 30 s, then every minute, after 45011 once a minute. Every other answer, and no answer at all, is taken for a passing fault: the endpoint is asked again after 15 s, then 30 s, then every minute, by all processes together; messages step back for a few seconds, and five that do so in a row suspend the app until then.',
  ownTitle: '## Reasons of our own',
  ownIntro: (source) =>
    `Source: ${source}. Where WeChat had answered before, its last code and text are kept beside the name.`,
  ownColumns: ['name', 'action', 'meaning'],
  media:
    '`media-unavailable` is the end at once where the picture is gone (404, 410 and every other refusal of its server but 408, 425 and 429), too large, no picture, or at no public address. A server that is busy (408, 425, 429, 5xx) or away, and an upload that got no answer, are retried at the cost of a try each, not before its `Retry-After`; the last try ends so. What WeChat answers to an upload is judged by the table above.',
  callsTitle: '## Calls without an answer',
  callsColumns: ['what happened', 'outcome', 'what is done'],
  calls: [
    [
      'DNS, connection or TLS failed, or no connection became free: nothing was written',
      'not-sent',
      'sent again after a moment; no try is counted; five in a row suspend the app',
    ],
    [
      'HTTP 429 or 503, or 403, 407, 411 or 412 with a page that is no JSON',
      'refused',
      'no try is counted; with `Retry-After` the app is held for so long (an hour at most), without it five in a row suspend the app – pages only if they were for two people',
    ],
    [
      'The call broke or timed out after it was written, or what came back has no numeric `errcode`',
      'unsure',
      '`ifUnsure` decides: `resend` is a retry, `dead-letter` is dead as `unsure`. Whole answers that are not WeChat’s, five in a row for at least two people, suspend the app; from then on a `resend` loses no try',
    ],
  ],
  source: (source) => source,
}

const ZH_NAMES: Readonly<Record<ErrcodeAction, string>> = {
  delivered: '已送达',
  retry: '重试',
  'refresh-token': '更换 access_token',
  'renew-media': '重新上传图片',
  dead: '成为死信',
  'reply-window': '回复窗口',
  wait: '稍后再发',
  'throttle-minute': '限流一分钟',
  'throttle-day': '当日限流',
  suspend: '挂起',
}

export const zh: Words = {
  title: '# 返回码',
  other: '[English](errcodes.md)',
  intro:
    '微信可能返回哪些返回码，以及对此如何处理。本页由 `packages/policy/src/errcodes.ts` 生成，有测试保证两者一致。只有返回码起决定作用：旁边的文字微信可能随时改动，不另行通知。',
  actionsTitle: '## 处理方式',
  actions: {
    delivered: '微信已接收消息，不再发送。',
    retry:
      '间隔一段时间后重新发送；间隔随次数增长并加随机抖动，最多 `RETRY_ATTEMPTS_MAX` 次，之后以 `retries-exhausted` 成为死信。对这两个返回码，无论 `ifUnsure` 取何值都是如此。有用户反映，`thumb_media_id` 有误的小程序卡片也会得到 -1：它与系统繁忙无法区分，所以这样的消息会用完全部次数（默认 16 次）才成为死信。',
    'refresh-token':
      '更换共享的 access_token 后重新发送，不计次数；若被拒的就是当前的 access_token，只是刚刚生效或偶然被拒，则不更换。连续三个新的 access_token 被拒，或当前的持续 15 秒被拒，小程序即被挂起。见 [tokens.md](tokens.md)（英文）。',
    'renew-media':
      '弃用发送队列为图片 URL 取得的 media_id，在同一次尝试之内重新上传一次并再次发送。若 media_id 由业务服务给出，或第二次仍被拒，则成为死信。见 [media.md](media.md)（英文）。',
    dead: '消息连同原因成为死信。可以重发，重发时作为一条新消息。',
    'reply-window':
      '在用户再次互动之前，微信不再接收发给该用户的消息。消息成为死信；若设置了 `onClosed: "hold"`，则等待用户，不计次数。见 [reply-windows.zh-CN.md](reply-windows.zh-CN.md)。',
    wait: '消息稍后再发，不计次数。连续五次这样的应答，小程序即被挂起。',
    'throttle-minute': '一分钟内停止发送该小程序的消息。消息按顺序等待，都不计次数。',
    'throttle-day':
      '微信称当日额度已用完。停止发送该小程序的消息，并像挂起时一样定期探测：微信有时在额度未用完时也这样返回，额度也可以申请提高。消息按顺序等待，都不计次数。',
    suspend:
      '问题在小程序的设置，不在消息。小程序被挂起，15 秒、30 秒后各探测一次，之后每分钟一次；消息按顺序等待，都不计次数。其他小程序不受影响。见 [suspension.md](suspension.md)（英文）。',
  },
  actionName: (action) => `${action}（${ZH_NAMES[action]}）`,
  actionLine: (action, text) => `- **${action}**（${ZH_NAMES[action]}）：${text}`,
  end: '等待最迟到消息过期为止；如果下一次重试只能在过期之后进行，就不再重试，消息以 `expired` 成为死信。',
  sendTitle: '## 发送消息的返回码',
  sendColumns: ['返回码', '名称', '处理', '含义', '来源'],
  suspendAt: (count) => `；连续 ${count} 次则 suspend（挂起）`,
  afterSend:
    '标有“连续 n 次则 suspend（挂起）”的，若这样的应答接连出现 n 次而其间没有一次成功，就按 **suspend**（挂起）处理：问题在小程序。表中没有的返回码以 `unknown` 成为死信，并保留其数字和文字；若连续五次调用、涉及至少两个用户，得到的都是这样的返回码或不是微信的应答，小程序即被挂起，不再有消息因此成为死信（见 [suspension.md](suspension.md)（英文））。',
  tokenTitle: '## 获取 access_token 的返回码',
  tokenIntro:
    '**suspend**（挂起）表示凭证或小程序设置有误，**throttle**（限流）表示调用太频繁；两者都立即停止发送该小程序的消息，并由探测再次调用该接口：15 秒、30 秒后各一次，之后每分钟一次；45011 之后每分钟一次。其他应答以及没有应答都视为暂时故障：所有进程合计在 15 秒、30 秒后各重试一次，之后每分钟一次；其间消息隔几秒再发，连续五条如此，小程序即被挂起，直到恢复。',
  ownTitle: '## 发送队列自己的原因',
  ownIntro: () => '来源：wechat-outbox 的规则。若微信此前有过应答，名称旁边保留其最后的返回码和文字。',
  ownColumns: ['名称', '处理', '含义'],
  media:
    '以下情况立即以 `media-unavailable` 成为死信：图片已不存在（404、410，以及对方服务器除 408、425、429 之外的任何拒绝）、过大、不是图片，或不在公网地址上。对方服务器繁忙（408、425、429、5xx）或连不上，以及上传没有得到应答，都会重试，每次计一次，且不早于其 `Retry-After`；最后一次仍不成功才成为死信。微信对上传的应答按上面的表处理。',
  callsTitle: '## 没有应答的调用',
  callsColumns: ['发生了什么', '结果', '怎样处理'],
  calls: [
    ['DNS、连接或 TLS 失败，或一直没有空闲连接：请求尚未发出', 'not-sent', '稍后再发，不计次数；连续五次则挂起小程序'],
    [
      'HTTP 429 或 503，或带有非 JSON 页面的 403、407、411、412',
      'refused',
      '不计次数；有 `Retry-After` 时，在相应时间内（最多一小时）停止发送该小程序的消息；没有时，连续五次则挂起小程序，其中返回页面的须涉及两个用户才计入',
    ],
    [
      '请求发出之后连接中断或超时，或应答中没有数字 `errcode`',
      'unsure',
      '由 `ifUnsure` 决定：`resend` 即重试，`dead-letter` 则以 `unsure` 成为死信。完整但不是微信的应答，连续五次且涉及至少两个用户，则挂起小程序；此后 `resend` 不计次数',
    ],
  ],
  source: (source) =>
    source
      .replace(/^WeChat, /, '微信，')
      .replace('seen by users, not documented by WeChat', '用户反映，微信文档未收录'),
}
