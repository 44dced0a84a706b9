/** What every language of the operator's page has to say: the keys of the English words, and functions of the same arguments. */
import type { en } from './texts-en.ts'

export type Texts = Worded<typeof en>

type Worded<T> = T extends string
  ? string
  : T extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { readonly [Key in keyof T]: Worded<T[Key]> }
