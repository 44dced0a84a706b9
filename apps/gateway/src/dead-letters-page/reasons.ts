/** Reasons by the text under which they are counted: an errcode, or the name of a reason of ours. */
import { sendErrcode } from '@wechat-outbox/policy'
import { knownReason } from '../mask-words.ts'
import type { Language } from './language.ts'

const nameOf = (key: string): string | undefined => (/^-?\d+$/.test(key) ? sendErrcode(Number(key))?.name : undefined)

/** `45015 reply-window-closed` */
export function reasonTitle(key: string): string {
  const name = nameOf(key)
  return name === undefined ? key : `${key} ${name}`
}

/** Undefined for what the table does not know. */
export function reasonMeaning(key: string, language: Language): string | undefined {
  if (!/^-?\d+$/.test(key)) return knownReason(key)?.meaning[language]
  return sendErrcode(Number(key))?.meaning[language]
}
