/**
 * The language in which a reason is explained. Names of reasons, sentences about the outbox and `--json` are the same in each: scripts
 * and runbooks rely on them.
 */
import { type Reason, reasonLine } from '@wechat-outbox/messages'
import { OWN_REASONS, sendErrcode } from '@wechat-outbox/policy'
import type { Environment } from '@wechat-outbox/runtime'

export const LANGS = ['en', 'zh'] as const
export type Lang = (typeof LANGS)[number]

/** By the locale, of which the first of these variables that is not empty is the one that counts (POSIX). */
export function langOf({ LC_ALL, LC_MESSAGES, LANG }: Environment): Lang {
  return /^zh(?:$|[_.@-])/i.test(LC_ALL || LC_MESSAGES || LANG || '') ? 'zh' : 'en'
}

/** A reason in one line of a list: in English with WeChat's own words, in Chinese with its meaning instead. */
export function reasonText(reason: Reason, lang: Lang): string {
  return lang === 'en' ? reasonLine(reason) : reasonLine({ ...reason, errmsg: reason.meaning[lang] })
}

/** What WeChat has answered a call: its own words, or in Chinese what they mean. */
export function answerText(errcode: number | undefined, errmsg: string, lang: Lang): string {
  if (lang === 'en' || errcode === undefined) return errmsg
  return sendErrcode(errcode)?.meaning[lang] ?? errmsg
}

/** The name of a reason by which dead letters are counted, and what it means. Undefined: nobody here knows it. */
export function explain(key: string, lang: Lang): { name: string; meaning: string } | undefined {
  const row = sendErrcode(Number(key)) ?? OWN_REASONS.find(({ name }) => name === key)
  return row && { name: row.name, meaning: row.meaning[lang] }
}
