/**
 * The only place that knows WeChat's return codes. A code is one line: what it is called, what is done about it, what it
 * means to a person. WeChat changes its `errmsg` as it likes, so nothing here or elsewhere looks at that text. The document
 * `docs/errcodes.md` is made from these tables, and a test compares the two.
 */

/** What is done about an answer to a send. `docs/errcodes.md` explains each of them to an operator. */
export type ErrcodeAction =
  | 'delivered'
  | 'retry'
  | 'refresh-token'
  | 'renew-media'
  | 'dead'
  | 'reply-window'
  | 'wait'
  | HoldAction

/** What holds the whole app, whether a send was answered so or a call for a token. */
export type HoldAction = 'throttle-minute' | 'throttle-day' | 'suspend'

export interface Meaning {
  readonly en: string
  readonly zh: string
}

export interface ErrcodeRow<Action extends ErrcodeAction = ErrcodeAction> {
  readonly errcode: number
  /** Stable: dashboards, alerts and scripts of operators may rely on it. Unique among the codes of a send. */
  readonly name: string
  readonly action: Action
  readonly meaning: Meaning
  readonly source: string
  /** The fault may be the app's: after this many such answers in a row, without a success between, it is suspended. */
  readonly suspendAfterInARow?: number
}

/** A reason that no answer of WeChat's gives: the rule is ours. */
export interface OwnReasonRow {
  readonly name: string
  readonly action: 'dead' | 'wait'
  readonly meaning: Meaning
}

const PAGE = 'WeChat, 发送客服消息'
const GLOBAL = 'WeChat, 全局返回码'
const CLOUD = 'WeChat, 微信云托管'
const COMMUNITY = 'seen by users, not documented by WeChat'

/** The source of every reason of our own. */
export const OWN_SOURCE = 'rule of wechat-outbox'

const UNAUTHORIZED_MAX = 3

/** Answers to a send. Every other code is `unknown`, and dead. */
// biome-ignore format: a code is one line, however long.
export const SEND_ERRCODES: readonly ErrcodeRow[] = [
  { errcode: 0, name: 'ok', action: 'delivered', meaning: { en: 'WeChat has taken the message.', zh: '请求成功，微信已接收消息。' }, source: PAGE },
  { errcode: -1, name: 'system-busy', action: 'retry', meaning: { en: 'WeChat was busy. Whether the message was delivered is unknown.', zh: '系统繁忙，消息是否送达未知。' }, source: PAGE },
  { errcode: -1000, name: 'system-error', action: 'retry', meaning: { en: 'WeChat had an internal fault, treated like -1.', zh: '微信内部错误，按 -1 处理。' }, source: COMMUNITY },
  { errcode: 40001, name: 'invalid-credential', action: 'refresh-token', meaning: { en: 'The access token is wrong or no longer the newest one.', zh: 'access_token 无效或不是最新的。' }, source: PAGE },
  { errcode: 40014, name: 'invalid-access-token', action: 'refresh-token', meaning: { en: 'The access token is not valid.', zh: '不合法的 access_token。' }, source: GLOBAL },
  { errcode: 42001, name: 'access-token-expired', action: 'refresh-token', meaning: { en: 'The access token has expired.', zh: 'access_token 已过期。' }, source: GLOBAL },
  { errcode: 40002, name: 'invalid-credential-kind', action: 'dead', meaning: { en: 'The kind of credential is wrong for this call.', zh: '不合法的凭证类型。' }, source: PAGE },
  { errcode: 40003, name: 'invalid-openid', action: 'dead', meaning: { en: 'The OpenID is wrong, or belongs to another Mini Program.', zh: '不合法的 OpenID，或属于其他小程序。' }, source: PAGE },
  { errcode: 41009, name: 'openid-missing', action: 'dead', meaning: { en: 'The OpenID is missing.', zh: '缺少 OpenID。' }, source: GLOBAL },
  { errcode: 46004, name: 'user-not-found', action: 'dead', meaning: { en: 'There is no such user.', zh: '不存在的用户。' }, source: GLOBAL },
  { errcode: 43004, name: 'user-not-following', action: 'dead', meaning: { en: 'The recipient does not follow the account.', zh: '接收者未关注账号。' }, source: GLOBAL },
  { errcode: 43005, name: 'user-not-friend', action: 'dead', meaning: { en: 'The recipient is not connected to the account as a friend.', zh: '与接收者没有好友关系。' }, source: GLOBAL },
  { errcode: 43019, name: 'user-blocked', action: 'dead', meaning: { en: "The recipient stands on the account's block list.", zh: '接收者在账号的黑名单中。' }, source: GLOBAL },
  { errcode: 48002, name: 'user-refuses-messages', action: 'dead', meaning: { en: 'The recipient has turned messages from the account off.', zh: '接收者拒收该账号的消息。' }, source: GLOBAL },
  { errcode: 50005, name: 'user-unsubscribed', action: 'dead', meaning: { en: 'The recipient has not subscribed to the account.', zh: '用户未关注该账号。' }, source: GLOBAL },
  { errcode: 45015, name: 'reply-window-closed', action: 'reply-window', meaning: { en: "The time to reply is over. A replay makes sense only after the user's next action.", zh: '回复时间超过限制；用户再次互动后重发才有意义。' }, source: PAGE },
  { errcode: 45047, name: 'reply-count-exhausted', action: 'reply-window', meaning: { en: "The replies allowed in this window are used up. A replay makes sense only after the user's next action.", zh: '客服接口下行条数超过上限；用户再次互动后重发才有意义。' }, source: PAGE },
  { errcode: 48001, name: 'api-unauthorized', action: 'dead', meaning: { en: 'The Mini Program is not authorised for this interface.', zh: 'API 功能未授权，请确认小程序已获得该接口。' }, source: PAGE, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 48004, name: 'api-forbidden', action: 'dead', meaning: { en: 'WeChat has blocked this interface for the account because of a violation.', zh: 'API 接口因违规被封禁。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 50001, name: 'api-unauthorized-by-user', action: 'dead', meaning: { en: 'The user has not authorised this interface.', zh: '用户未授权该 API。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 50002, name: 'account-restricted', action: 'dead', meaning: { en: 'The account is restricted, frozen or closed.', zh: '账号受限，可能已被冻结或注销。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61003, name: 'component-not-authorized', action: 'dead', meaning: { en: 'The account has not authorised the third-party platform.', zh: '账号未授权给该第三方平台。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61007, name: 'component-api-unauthorized', action: 'dead', meaning: { en: 'The account has not granted this interface to the third-party platform.', zh: '账号未将该接口授权给第三方平台。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61014, name: 'component-token-required', action: 'dead', meaning: { en: 'The interface needs the token of the third-party platform.', zh: '该接口须使用第三方平台的 component token。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61015, name: 'account-token-required', action: 'dead', meaning: { en: 'The interface needs the token of the account, not of the third-party platform.', zh: '该接口须使用账号的 token，不能使用 component token。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61016, name: 'function-category-unconfirmed', action: 'dead', meaning: { en: 'The third-party platform has still to confirm the function category of this interface.', zh: '该接口所属的权限集需第三方平台确认。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61017, name: 'function-category-unauthorized', action: 'dead', meaning: { en: 'The function category of this interface is not authorised.', zh: '该接口所属的权限集未授权。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61023, name: 'component-refresh-token-invalid', action: 'dead', meaning: { en: 'The refresh token of the third-party authorisation is not valid.', zh: '第三方平台授权的 refresh_token 无效。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 61024, name: 'component-must-fetch-token', action: 'dead', meaning: { en: 'The account belongs to a third-party platform, and its token must be fetched through that platform.', zh: '该账号已授权给第三方平台，须通过其接口获取 token。' }, source: GLOBAL, suspendAfterInARow: UNAUTHORIZED_MAX },
  { errcode: 48008, name: 'message-type-unauthorized', action: 'dead', meaning: { en: 'The account may not send this type of message.', zh: '没有该类型消息的发送权限。' }, source: GLOBAL },
  { errcode: 40004, name: 'invalid-media-type', action: 'dead', meaning: { en: 'The media type is not allowed.', zh: '不合法的媒体文件类型。' }, source: GLOBAL },
  { errcode: 40005, name: 'invalid-file-type', action: 'dead', meaning: { en: 'The file type is not allowed.', zh: '不合法的文件类型。' }, source: GLOBAL },
  { errcode: 40006, name: 'invalid-file-size', action: 'dead', meaning: { en: 'The file size is not allowed.', zh: '不合法的文件大小。' }, source: GLOBAL },
  { errcode: 40007, name: 'invalid-media-id', action: 'renew-media', meaning: { en: 'The media id is wrong or has expired. Temporary media live three days.', zh: '不合法或已过期的 media_id；临时素材有效期三天。' }, source: GLOBAL },
  { errcode: 40009, name: 'invalid-image-size', action: 'dead', meaning: { en: 'The image size is not allowed.', zh: '不合法的图片大小。' }, source: GLOBAL },
  { errcode: 40113, name: 'unsupported-image-type', action: 'dead', meaning: { en: 'The file name says that the image is of a type that WeChat does not take.', zh: '不支持的图片类型，请检查文件扩展名。' }, source: GLOBAL },
  { errcode: 40137, name: 'unsupported-image-format', action: 'dead', meaning: { en: 'The image is of a format that WeChat does not take.', zh: '不支持的图片格式。' }, source: GLOBAL },
  { errcode: 41005, name: 'media-data-missing', action: 'dead', meaning: { en: 'The media data is missing.', zh: '缺少多媒体文件数据。' }, source: GLOBAL },
  { errcode: 41006, name: 'media-id-missing', action: 'dead', meaning: { en: 'The media id is missing.', zh: '缺少 media_id 参数。' }, source: GLOBAL },
  { errcode: 44001, name: 'media-empty', action: 'dead', meaning: { en: 'The media file is empty.', zh: '多媒体文件为空。' }, source: GLOBAL },
  { errcode: 45001, name: 'media-too-large', action: 'dead', meaning: { en: 'The media file is too large.', zh: '多媒体文件大小超过限制。' }, source: GLOBAL },
  { errcode: 46001, name: 'media-not-found', action: 'dead', meaning: { en: 'The media data does not exist.', zh: '不存在媒体数据。' }, source: GLOBAL },
  { errcode: 40008, name: 'invalid-message-type', action: 'dead', meaning: { en: 'The message type is not known to WeChat.', zh: '不合法的消息类型。' }, source: GLOBAL },
  { errcode: 45162, name: 'content-rejected', action: 'dead', meaning: { en: 'WeChat rejects what the message contains. The code is not documented.', zh: '消息内容被微信拒绝；官方文档未收录该返回码。' }, source: COMMUNITY },
  { errcode: 70000, name: 'minor-protected', action: 'dead', meaning: { en: 'WeChat refuses the message in order to protect a minor.', zh: '为保护未成年人，微信拒绝了该消息。' }, source: PAGE },
  { errcode: 40033, name: 'invalid-characters', action: 'dead', meaning: { en: 'The request contains characters that are not allowed, for example \\u escapes.', zh: '不合法的请求字符，不能包含 \\uxxxx 格式的字符。' }, source: GLOBAL },
  { errcode: 40035, name: 'invalid-parameter', action: 'dead', meaning: { en: 'A parameter is not valid.', zh: '不合法的参数。' }, source: GLOBAL },
  { errcode: 40066, name: 'invalid-url', action: 'dead', meaning: { en: 'A URL is not valid.', zh: '不合法的 URL。' }, source: GLOBAL },
  { errcode: 40097, name: 'invalid-arguments', action: 'dead', meaning: { en: 'The arguments are wrong.', zh: '参数错误。' }, source: GLOBAL },
  { errcode: 40101, name: 'parameter-missing', action: 'dead', meaning: { en: 'A required parameter is missing.', zh: '缺少必填参数。' }, source: GLOBAL },
  { errcode: 44002, name: 'post-body-empty', action: 'dead', meaning: { en: 'The body of the request is empty.', zh: 'POST 的数据包为空。' }, source: GLOBAL },
  { errcode: 44003, name: 'link-content-empty', action: 'dead', meaning: { en: 'The content of the link message is empty.', zh: '图文消息内容为空。' }, source: GLOBAL },
  { errcode: 44004, name: 'text-content-empty', action: 'dead', meaning: { en: 'The content of the text message is empty.', zh: '文本消息内容为空。' }, source: GLOBAL },
  { errcode: 45002, name: 'content-too-long', action: 'dead', meaning: { en: 'The content of the message is too long.', zh: '消息内容超过限制。' }, source: GLOBAL },
  { errcode: 45003, name: 'title-too-long', action: 'dead', meaning: { en: 'The title is too long.', zh: '标题字段超过限制。' }, source: GLOBAL },
  { errcode: 45004, name: 'description-too-long', action: 'dead', meaning: { en: 'The description is too long.', zh: '描述字段超过限制。' }, source: GLOBAL },
  { errcode: 45005, name: 'link-too-long', action: 'dead', meaning: { en: 'The link is too long.', zh: '链接字段超过限制。' }, source: GLOBAL },
  { errcode: 45006, name: 'image-link-too-long', action: 'dead', meaning: { en: 'The link to the image is too long.', zh: '图片链接字段超过限制。' }, source: GLOBAL },
  { errcode: 45008, name: 'articles-too-many', action: 'dead', meaning: { en: 'The message has too many articles.', zh: '图文消息超过限制。' }, source: GLOBAL },
  { errcode: 47001, name: 'malformed-body', action: 'dead', meaning: { en: 'WeChat could not parse the body.', zh: '解析 JSON/XML 内容错误。' }, source: GLOBAL },
  { errcode: 47003, name: 'parameter-out-of-range', action: 'dead', meaning: { en: 'The value of a parameter does not meet its limits.', zh: '参数值不符合限制要求。' }, source: GLOBAL },
  { errcode: 61451, name: 'invalid-service-parameter', action: 'dead', meaning: { en: 'A parameter of the customer service interface is wrong.', zh: '客服接口参数错误。' }, source: GLOBAL },
  { errcode: 61452, name: 'invalid-service-account', action: 'dead', meaning: { en: 'The customer service account is not valid.', zh: '无效的客服账号。' }, source: GLOBAL },
  { errcode: 85113, name: 'cloud-not-ready', action: 'wait', meaning: { en: 'Cloud hosting is not ready for calls yet and asks to try again later.', zh: '云托管服务尚未就绪，请稍后重试。' }, source: CLOUD },
  { errcode: 45011, name: 'minute-quota-exceeded', action: 'throttle-minute', meaning: { en: 'Too many calls in this minute.', zh: 'API 调用太频繁，请下一分钟再试。' }, source: GLOBAL },
  { errcode: 45009, name: 'daily-quota-exhausted', action: 'throttle-day', meaning: { en: 'The daily quota of this interface is used up.', zh: '接口调用超过每日限额。' }, source: GLOBAL },
  { errcode: 40164, name: 'ip-not-allowed', action: 'suspend', meaning: { en: 'The address of this machine is not on the allow list.', zh: '调用接口的 IP 地址不在白名单中。' }, source: GLOBAL },
  { errcode: 61004, name: 'client-ip-not-registered', action: 'suspend', meaning: { en: 'The address of this machine is not registered with WeChat.', zh: '调用方 IP 未登记。' }, source: GLOBAL },
  { errcode: 45035, name: 'client-ip-not-in-allow-list', action: 'suspend', meaning: { en: "The address of this machine is not registered in the platform's allow list.", zh: '调用方 IP 不在平台的 IP 白名单中。' }, source: GLOBAL },
  { errcode: 89503, name: 'ip-awaits-confirmation', action: 'suspend', meaning: { en: 'An administrator has to confirm calls from this address first.', zh: '此 IP 的调用需要管理员确认。' }, source: GLOBAL },
  { errcode: 41001, name: 'access-token-missing', action: 'suspend', meaning: { en: 'The call came without an access token.', zh: '缺少 access_token 参数。' }, source: GLOBAL },
  { errcode: 40013, name: 'invalid-appid', action: 'suspend', meaning: { en: 'The appid is wrong.', zh: '不合法的 AppID。' }, source: GLOBAL },
  { errcode: 43002, name: 'post-required', action: 'suspend', meaning: { en: 'WeChat expects a POST request and saw another one: something on the way changes the call.', zh: '需要 POST 请求，请检查中间的代理是否改写了请求。' }, source: GLOBAL },
  { errcode: 40234, name: 'api-signing-required', action: 'suspend', meaning: { en: 'The Mini Program has switched API signing on, and this call is not signed.', zh: '小程序已开启 API 签名安全要求，而该请求未签名。' }, source: GLOBAL },
  { errcode: 85105, name: 'cloud-api-not-allowed', action: 'suspend', meaning: { en: 'Cloud hosting does not let this call through: the interface is not on the allow list of its settings.', zh: '云托管未放行该调用，请检查其接口白名单等设置。' }, source: CLOUD },
  { errcode: 85107, name: 'cloud-call-not-allowed', action: 'suspend', meaning: { en: 'Cloud hosting does not let this call through: the interface is not on the allow list of its settings.', zh: '云托管未放行该调用，请检查其接口白名单等设置。' }, source: CLOUD },
  { errcode: 85112, name: 'cloud-path-not-allowed', action: 'suspend', meaning: { en: 'Cloud hosting does not let this call through: the interface is not on the allow list of its settings.', zh: '云托管未放行该调用，请检查其接口白名单等设置。' }, source: CLOUD },
]

/**
 * Answers of the token endpoints that are not a passing fault: either the app's own settings are wrong, and asking again
 * changes nothing, or the endpoint has been asked too often.
 */
// biome-ignore format: a code is one line, however long.
export const TOKEN_ERRCODES: readonly ErrcodeRow<HoldAction>[] = [
  { errcode: 40001, name: 'invalid-secret', action: 'suspend', meaning: { en: 'The AppSecret is wrong.', zh: 'AppSecret 错误。' }, source: GLOBAL },
  { errcode: 40002, name: 'invalid-grant-type', action: 'suspend', meaning: { en: 'The kind of credential asked for is wrong.', zh: '不合法的凭证类型（grant_type）。' }, source: GLOBAL },
  { errcode: 40013, name: 'invalid-appid', action: 'suspend', meaning: { en: 'The appid is wrong.', zh: '不合法的 AppID。' }, source: GLOBAL },
  { errcode: 40125, name: 'invalid-appsecret', action: 'suspend', meaning: { en: 'The AppSecret does not belong to this appid.', zh: '无效的 AppSecret。' }, source: GLOBAL },
  { errcode: 40243, name: 'secret-frozen', action: 'suspend', meaning: { en: 'The AppSecret is frozen and must be unfrozen in the console.', zh: 'AppSecret 已被冻结，请登录公众平台解冻。' }, source: GLOBAL },
  { errcode: 41002, name: 'appid-missing', action: 'suspend', meaning: { en: 'The appid is missing.', zh: '缺少 appid 参数。' }, source: GLOBAL },
  { errcode: 41004, name: 'secret-missing', action: 'suspend', meaning: { en: 'The AppSecret is missing.', zh: '缺少 secret 参数。' }, source: GLOBAL },
  { errcode: 43002, name: 'post-required', action: 'suspend', meaning: { en: 'The token endpoint expects a POST request.', zh: '需要 POST 请求。' }, source: GLOBAL },
  { errcode: 45009, name: 'daily-quota-exhausted', action: 'throttle-day', meaning: { en: 'The daily quota of the token interface is used up.', zh: '获取 access_token 的接口超过每日调用限额。' }, source: GLOBAL },
  { errcode: 45011, name: 'minute-quota-exceeded', action: 'throttle-minute', meaning: { en: 'The token interface was called too often in this minute.', zh: '获取 access_token 的调用太频繁，请下一分钟再试。' }, source: GLOBAL },
  { errcode: 40164, name: 'ip-not-allowed', action: 'suspend', meaning: { en: 'The address of this machine is not on the allow list.', zh: '调用接口的 IP 地址不在白名单中。' }, source: GLOBAL },
  { errcode: 61004, name: 'client-ip-not-registered', action: 'suspend', meaning: { en: 'The address of this machine is not registered with WeChat.', zh: '调用方 IP 未登记。' }, source: GLOBAL },
  { errcode: 45035, name: 'client-ip-not-in-allow-list', action: 'suspend', meaning: { en: "The address of this machine is not registered in the platform's allow list.", zh: '调用方 IP 不在平台的 IP 白名单中。' }, source: GLOBAL },
  { errcode: 89503, name: 'ip-awaits-confirmation', action: 'suspend', meaning: { en: 'An administrator has to confirm calls from this address first.', zh: '此 IP 的调用需要管理员确认。' }, source: GLOBAL },
]

// biome-ignore format: a reason is one line, however long.
export const OWN_REASONS = [
  { name: 'unknown', action: 'dead', meaning: { en: 'WeChat answered with a code that is not in this table.', zh: '微信返回了本表未收录的返回码。' } },
  { name: 'retries-exhausted', action: 'dead', meaning: { en: 'Every try that the message had was used up.', zh: '消息的全部尝试次数已用完。' } },
  { name: 'expired', action: 'dead', meaning: { en: 'The message reached its expiresAt before it could be delivered.', zh: '消息在送达之前已超过 expiresAt。' } },
  { name: 'unanswered', action: 'dead', meaning: { en: 'The message waited for its user, who did nothing for as long as HOLD_MAX_DAYS allows.', zh: '消息等待用户再次互动，但用户在 HOLD_MAX_DAYS 期限内没有任何动作。' } },
  { name: 'unsure', action: 'dead', meaning: { en: 'A call broke after it was written, nobody can know whether WeChat took the message, and ifUnsure is dead-letter.', zh: '请求发出后中断，无法确认微信是否已收到，且 ifUnsure 为 dead-letter。' } },
  { name: 'invalid-message', action: 'dead', meaning: { en: 'The stored message is not one that can be sent.', zh: '存储的消息格式无效，无法发送。' } },
  { name: 'media-unavailable', action: 'dead', meaning: { en: 'The picture could not be had from its URL, or is none that WeChat takes. The text says what was seen.', zh: '无法从 URL 获取图片，或不是微信接受的图片；附带文字说明实际情况。' } },
  { name: 'failed-elsewhere', action: 'dead', meaning: { en: 'Another program failed the job of this message; no worker of the outbox did.', zh: '该消息的任务被其他程序标记为失败，并非由发送队列的 worker 处理。' } },
  { name: 'unreachable', action: 'wait', meaning: { en: 'WeChat could not be reached: nothing was sent.', zh: '无法连接微信，请求未发出。' } },
  { name: 'refused', action: 'wait', meaning: { en: 'The call was turned away (HTTP 429 or 503, or a page with 403, 407, 411 or 412) before WeChat judged it.', zh: '请求在微信处理之前被拒绝（HTTP 429、503，或 403、407、411、412 页面）。' } },
  { name: 'not-wechat', action: 'wait', meaning: { en: 'What came back was not an answer of WeChat, but a page of something on the way to it.', zh: '返回的不是微信的应答，而是途中网关或代理的页面。' } },
  { name: 'token-unavailable', action: 'wait', meaning: { en: 'There is no access token to send with at the moment.', zh: '暂时没有可用的 access_token。' } },
] as const satisfies readonly OwnReasonRow[]

export type OwnReasonName = (typeof OWN_REASONS)[number]['name']

const bySendErrcode = new Map(SEND_ERRCODES.map((row) => [row.errcode, row]))
const byTokenErrcode = new Map(TOKEN_ERRCODES.map((row) => [row.errcode, row]))

const ownReasonNames: ReadonlySet<string> = new Set(OWN_REASONS.map(({ name }) => name))
const errcodeByName = new Map(SEND_ERRCODES.map(({ name, errcode }) => [name, errcode]))

/**
 * The errcode, as text, of a reason that is given by its name; the name itself where the reason has no errcode. Undefined: there is no
 * such reason.
 */
export function reasonKeyByName(name: string): string | undefined {
  if (ownReasonNames.has(name)) return name
  const errcode = errcodeByName.get(name)
  return errcode === undefined ? undefined : String(errcode)
}

/** Every reason that this table knows: errcodes as text, and the names of reasons of ours. */
export function reasonKeys(): string[] {
  return [...SEND_ERRCODES.map(({ errcode }) => String(errcode)), ...ownReasonNames]
}

/** The row of a code that answered a send, or undefined: the code is `unknown`. */
export function sendErrcode(errcode: number): ErrcodeRow | undefined {
  return bySendErrcode.get(errcode)
}

/**
 * Whether WeChat refuses the access token with which a call was made, be it a send or another call that bears one: a newer
 * token may do better. A token endpoint means other things by the same codes, see `tokenErrcode`.
 */
export function isTokenRefusal(errcode: number): boolean {
  return sendErrcode(errcode)?.action === 'refresh-token'
}

/** The row of a code from a token endpoint, or undefined: a passing fault there, such as -1. */
export function tokenErrcode(errcode: number): ErrcodeRow<HoldAction> | undefined {
  return byTokenErrcode.get(errcode)
}
