/** The language of a page: the one that the reader has chosen by the switch, or the one that the browser asks for. */
import { parseAccept } from 'hono/utils/accept'
import type { Texts } from './texts.ts'
import { en } from './texts-en.ts'
import { zh } from './texts-zh.ts'

export const LANGUAGES = ['en', 'zh'] as const
export type Language = (typeof LANGUAGES)[number]

export const TEXTS: Readonly<Record<Language, Texts>> = { en, zh }

/** What each calls itself, and what a document says of its language. */
export const NAMES: Readonly<Record<Language, { readonly name: string; readonly tag: string }>> = {
  en: { name: 'English', tag: 'en' },
  zh: { name: '中文', tag: 'zh-CN' },
}

const HEADER_CHARS_MAX = 1000

export function chooseLanguage(chosen: unknown, acceptLanguage: string | undefined): Language {
  const given = LANGUAGES.find((language) => language === chosen)
  if (given !== undefined) return given
  // The greatest preference comes first.
  for (const { type, q } of parseAccept((acceptLanguage ?? '').slice(0, HEADER_CHARS_MAX))) {
    const asked = LANGUAGES.find((language) => language === type.toLowerCase().split('-')[0])
    if (asked !== undefined && q > 0) return asked
  }
  return 'en'
}
