/**
 * What a push says. WeChat writes JSON or XML, as its console is set, and only flat fields matter here. Numbers are kept as they are written,
 * because a `MsgId` is beyond what a number holds. XML has no entities and no DOCTYPE here: whatever does not begin with `<xml>` is refused
 * before a parser sees it.
 *
 * https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/receive.html
 */
import { touserSchema, type WindowAction } from '@wechat-outbox/messages'
import { XMLParser } from 'fast-xml-parser'
import { shapeProblem } from '../json-shape.ts'

/** The fields whose values are text or numbers. */
export type PushFields = ReadonlyMap<string, string>

export interface PushedAction {
  readonly touser: string
  readonly action: WindowAction
  readonly at: number
  readonly id: string
}

/** WeChat writes some twenty; the parser takes 20 µs for each. */
const TAGS_MAX = 1000
const ID_CHARS_MAX = 200

const utf8 = new TextDecoder('utf-8', { fatal: true })
const xml = new XMLParser({ processEntities: false, ignoreAttributes: true, parseTagValue: false })

/** The body as text; undefined: it is neither JSON nor XML by its first character, or not UTF-8. */
function textOf(bytes: Buffer): { readonly form: 'json' | 'xml'; readonly text: string } | undefined {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return undefined
  }
  if (/^\s*\{/.test(text)) return { form: 'json', text }
  return /^\s*(?:<\?xml[^<>]{0,200}\?>\s*)?<xml>/.test(text) ? { form: 'xml', text } : undefined
}

/** The fields of a message; undefined: it cannot be read. */
export function readPushFields(bytes: Buffer): PushFields | undefined {
  const read = textOf(bytes)
  if (read === undefined) return undefined
  const fields = read.form === 'json' ? parseJson(read.text, bytes) : parseXml(read.text)
  if (fields === undefined) return undefined
  return new Map(Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === 'string'))
}

/**
 * What may be the encrypted message of a body: from JSON one, from XML all that could be it, since the user's text in compatible mode may
 * look like one. Which of them it is, the signature says, and until then no parser of XML looks at the body.
 */
export function encryptedIn(bytes: Buffer): readonly string[] {
  const read = textOf(bytes)
  if (read === undefined) return []
  if (read.form === 'json') {
    const encrypted = parseJson(read.text, bytes)?.['Encrypt']
    return typeof encrypted === 'string' ? [encrypted] : []
  }
  const found = read.text.matchAll(/<Encrypt>\s*(?:<!\[CDATA\[)?([A-Za-z0-9+/=]+)(?:\]\]>)?\s*<\/Encrypt>/g)
  return [...found].slice(-CANDIDATES_MAX).map(([, encrypted = '']) => encrypted)
}

const CANDIDATES_MAX = 16

type Parsed = Readonly<Record<string, unknown>>

function parseJson(text: string, bytes: Buffer): Parsed | undefined {
  if (shapeProblem(bytes) !== null) return undefined
  try {
    // The text begins like an object's, so it is one.
    return JSON.parse(text, keepDigits) as Parsed
  } catch {
    return undefined
  }
}

/** What a number is written as; Node has known it since 21. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value
}

function parseXml(text: string): Parsed | undefined {
  if (countTags(text) > TAGS_MAX) return undefined
  try {
    const { xml: fields } = xml.parse(text) as { readonly xml?: unknown }
    return typeof fields === 'object' && fields !== null && !Array.isArray(fields) ? (fields as Parsed) : undefined
  } catch {
    return undefined
  }
}

/** Tags and sections of text; what stands in such a section, as the user's words do, is none. */
function countTags(text: string): number {
  const marks = text.split(']]>').map((part) => part.split('<![CDATA[', 1)[0]?.split('<').length ?? 0)
  return marks.reduce((sum, count) => sum + count, 0)
}

/** What the user did, if the push reports something that opens a reply window. */
export function actionOf(fields: PushFields): PushedAction | undefined {
  const touser = touserSchema.safeParse(fields.get('FromUserName'))
  const [type, created = '', event] = ['MsgType', 'CreateTime', 'Event'].map((name) => fields.get(name))
  if (!touser.success || type === undefined || !/^\d{1,11}$/.test(created)) return undefined
  if (type === 'event' && event !== 'user_enter_tempsession') return undefined
  const action = type === 'event' ? 'enter' : 'message'
  const id = fields.get('MsgId') || `${created}-${event ?? type}`
  return { touser: touser.data, action, at: Number(created) * 1000, id: id.slice(0, ID_CHARS_MAX) }
}

/** WeChat's cloud hosting asks so whether there is anything at an address. */
export function isContainerCheck(fields: PushFields): boolean {
  return fields.get('action') === 'CheckContainerPath'
}
