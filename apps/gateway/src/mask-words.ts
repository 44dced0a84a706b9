/**
 * Error texts for the masked dashboard. WeChat, a proxy or another program may repeat in them what it was sent, whole, cut or
 * one word of it; no comparison with the content would find all of that. So a text keeps the words that such messages are
 * made of, addresses and WeChat's request id, and every other word is hidden.
 */
import { constants } from 'node:os'
import { OWN_REASONS, OWN_SOURCE, SEND_ERRCODES, TOKEN_ERRCODES } from '@wechat-outbox/policy'

export const HIDDEN = '•••'

interface Known {
  readonly meaning: { readonly en: string; readonly zh: string }
  readonly source: string
}

/** What a reason of this name means, in our own words. */
const REASONS: ReadonlyMap<string, Known> = new Map([
  ...OWN_REASONS.map(({ name, meaning }) => [name, { meaning, source: OWN_SOURCE }] as const),
  ...[...TOKEN_ERRCODES, ...SEND_ERRCODES].map(({ name, meaning, source }) => [name, { meaning, source }] as const),
])

export function knownReason(name: unknown): Known | undefined {
  return typeof name === 'string' ? REASONS.get(name) : undefined
}

/** Of WeChat's own messages and of ours, beside the words of the table's meanings. */
const WORDS = `
  aborted accepted access_token account acct already android answer api api_component_token app appid appsecret args argument arguments
  article audio banned biz blacklist block blocked body busy button byte bytes call called can canceled cannot card charset check client
  clientip closed code com command component confirmed connect connecting connection content count create credential credentials customer
  daily data day denied description detail details device dns does domain duplicate empty ended error exceed exceeded exceeds exist exists
  expire expired fail failed failure fast field file follow forbidden format frequency frozen function get getstableaccesstoken gif
  grant_type header headers hint hints host http https if illegal image include incorrect input interface internal invalid ip ipv4 ipv6
  irregularities its jpeg json key kf_account larger latest length limit limited link list login malformed match max maximum media
  media_id meida menu message method min mini miniprogram miniprogrampage minute mismatch missing more mp msgtype must name need news no
  not null object official ok open openid operation out page pagepath param parameter parameters parse password permission picture picurl
  please png post privilege program proxy public qq query quota rate reach reached reading receive recipient redirect redirects refresh
  refresh_token refuse refused register reject rejected relations remove removed replayable reply req_id request require required reserved
  response retry rid right risk same scene secret security send sending sent server service session short signature size slower source
  status subscribe subscribed subscriber subscription success support supported suspended system system's task template temporarily text
  than thumb thumb_media_id thumb_url time timeout title tls token tokens too touser type typing unauthorized unavailable unionid unknown
  unreachable unsupported upload url use used user users utf utf8 value verify version via video view violation voice waiting was weixin
  while white whitelist will window without wrong xml your
`

const words = (text: string): string[] => text.toLowerCase().match(/[a-z][a-z_0-9']*/gu) ?? []

const VOCABULARY: ReadonlySet<string> = new Set([
  ...words(WORDS),
  ...[...REASONS.values()].flatMap(({ meaning }) => words(meaning.en)),
  ...[...REASONS.keys()].flatMap((name) => name.split('-')),
  ...Object.keys(constants.errno).map((code) => code.toLowerCase()),
  ...words('enotfound eai_again'),
])

/** A request id of WeChat's, an address, a status, what was hidden before it was stored, or what stands between words; a word; anything else. */
const PIECES =
  /(rid: ?[0-9a-f]{8}(?:-[0-9a-f]{8}){2}\b|(?:::ffff:|\b)(?:\d{1,3}\.){3}\d{1,3}\b|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b|HTTP [1-5]\d\d\b|\*{3}|\\uxxxx\b|(?:(?!::)[ ,.:;!()[\]/-])+)|([a-z][a-z_0-9']*)|[\s\S]/giu

export function maskErrmsg(text: string): string {
  const shown = text
    .slice(0, 1000)
    .replaceAll(PIECES, (piece: string, plain?: string, word?: string) =>
      plain !== undefined || (word !== undefined && VOCABULARY.has(word.toLowerCase())) ? piece : HIDDEN,
    )
  return shown.replaceAll(/•••(?:[ ,.:;()[\]/-]*•••)+/gu, HIDDEN)
}

/** `45015 reply-window-closed: …`, as a dead letter has it; anything else is an error's text. */
export function maskFailedReason(text: string): string {
  const [, code = '', name = '', said = ''] = /^(-?\d{1,7} )?([a-z0-9-]{1,64})(?:: ([\s\S]*))?$/u.exec(text) ?? []
  if (knownReason(name) === undefined) return maskErrmsg(text)
  return said === '' ? code + name : `${code}${name}: ${maskErrmsg(said)}`
}

export function isRid(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{8}){2}$/u.test(value)
}
