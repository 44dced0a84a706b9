/**
 * What WeChat would say to a message, before the outbox looks at it more closely: the codes that clients know, in the order in
 * which WeChat looks. Everything else that is wrong is a 47001 that names its place.
 */
import { MSGTYPES, type Msgtype, type TextRule, textProblem, touserSchema } from '@wechat-outbox/messages'
import { OutboxError } from '@wechat-outbox/outbox'
import { NEW_KEY } from '@wechat-outbox/outbox/engine'
import { BUSY, type Refusal } from './answers.ts'
import type { JsonObject } from './body.ts'

/** Null when nothing speaks against it so far. */
export function judgeMessage(body: JsonObject, texts: TextRule): Refusal | null {
  const { touser, msgtype } = body
  if (!touserSchema.safeParse(touser).success) return { errcode: 40_003, detail: 'touser is not an openid' }
  if (!isMsgtype(msgtype)) return { errcode: 40_008, detail: `msgtype must be one of ${MSGTYPES.join(', ')}` }
  // In Node it may stand there; here the token says whose message it is.
  if ((body['appid'] ?? null) !== null) return { errcode: 47_001, detail: 'appid is not a known key' }
  return msgtype === 'text' ? judgeText(body['text'], texts) : null
}

function isMsgtype(value: unknown): value is Msgtype {
  return MSGTYPES.some((msgtype) => msgtype === value)
}

function judgeText(text: unknown, texts: TextRule): Refusal | null {
  const content = isObject(text) ? text['content'] : undefined
  if (content === undefined || content === null || (typeof content === 'string' && content.trim() === '')) {
    return { errcode: 44_004, detail: 'text.content must not be empty' }
  }
  const problem = typeof content === 'string' ? textProblem(content, texts) : null
  return problem === null ? null : { errcode: 45_002, detail: `text.content ${problem}` }
}

/**
 * Takes away what clients add without meaning anything by it: `null` for whatever their types have and a message has not, and
 * in a card the appid, empty or the app's own. (A card of another app is another matter, and is refused.)
 */
export function tidyMessage(body: JsonObject, appid: string): JsonObject {
  const unused = (key: string, value: unknown): boolean => value === null && key !== body['msgtype']
  const tidy = Object.fromEntries(Object.entries(body).filter(([key, value]) => !unused(key, value)))
  const card = tidy['miniprogrampage']
  if (!isObject(card) || !['', null, appid].some((own) => own === card['appid'])) return tidy
  const { appid: _appid, ...rest } = card
  return { ...tidy, miniprogrampage: rest }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const PROBLEMS_SHOWN_MAX = 3

/** Null for an error that is a bug here and not about the message. */
export function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof OutboxError)) return null
  switch (error.code) {
    case 'WXO_INVALID': {
      const shown = error.issues
        .slice(0, PROBLEMS_SHOWN_MAX)
        .map(({ path, message }) => `${path || 'the body'} ${message}`)
      return { errcode: 47_001, detail: shown.join('; ') }
    }
    case 'WXO_CONFLICT':
      return { errcode: 47_001, detail: `Idempotency-Key was used for another message: ${NEW_KEY}` }
    // Closed: this gateway is ending, and another takes the request.
    case 'WXO_CLOSED':
    case 'WXO_UNAVAILABLE':
      return BUSY
    case 'WXO_FULL':
      return { errcode: -1, detail: 'the message store is full, try again later' }
    case 'WXO_WINDOW_CLOSED':
      return { errcode: 45_015, detail: error.message }
    case 'WXO_CONFIG':
      return null
  }
}
