// What WeChat says to the body of a send request, before it looks at the reply window. Order matters: the first
// thing that is wrong is the one that is answered.

/** The parts of a send request that are known once it was parsed; null where the body does not have them. */
export type SendBody = { parsed: Record<string, unknown> | null; touser: string | null; msgtype: string | null }

// The page has no limit for text; 2048 bytes of UTF-8 is what people report.
const TEXT_BYTES_MAX = 2048
const OPENID = /^[A-Za-z0-9_-]{1,64}$/

// Per msgtype: the fields it must have, and what WeChat answers when one is missing or empty.
const FIELDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  text: { content: 44004 },
  image: { media_id: 40007 },
  link: { title: 44004, description: 44004, url: 44004, thumb_url: 44004 },
  miniprogrampage: { title: 44004, pagepath: 44004, thumb_media_id: 40007 },
}

const stringOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null)

export const parseSendBody = (rawBody: string): SendBody => {
  try {
    const parsed: unknown = JSON.parse(rawBody)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      return { parsed: null, touser: null, msgtype: null }
    }
    const fields = parsed as Record<string, unknown>
    return { parsed: fields, touser: stringOrNull(fields.touser), msgtype: stringOrNull(fields.msgtype) }
  } catch {
    return { parsed: null, touser: null, msgtype: null }
  }
}

/** 0 if the body is in order, else WeChat's errcode for it. */
export const judgeSendBody = ({ parsed, touser, msgtype }: SendBody): number => {
  if (parsed === null) return 47001
  if (touser === null || !OPENID.test(touser)) return 40003
  const required = msgtype === null || !Object.hasOwn(FIELDS, msgtype) ? undefined : FIELDS[msgtype]
  if (msgtype === null || required === undefined) return 40008
  const part = parsed[msgtype]
  const fields = typeof part === 'object' && part !== null ? (part as Record<string, unknown>) : {}
  for (const field in required) {
    const value = fields[field]
    if (typeof value !== 'string' || value === '') return required[field] ?? 44004
  }
  const content = msgtype === 'text' ? fields.content : undefined
  return typeof content === 'string' && Buffer.byteLength(content) > TEXT_BYTES_MAX ? 45002 : 0
}

/** The media id that a body in order names, or ''. */
export const mediaIdOf = ({ parsed, msgtype }: SendBody): string => {
  const part = msgtype === 'image' || msgtype === 'miniprogrampage' ? parsed?.[msgtype] : undefined
  const { media_id, thumb_media_id = media_id } = (part ?? {}) as Record<string, unknown>
  return typeof thumb_media_id === 'string' ? thumb_media_id : ''
}
