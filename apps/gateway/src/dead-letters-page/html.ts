/**
 * HTML from templates in which every value is escaped, and what cannot be seen is shown as `\u….`: values come from WeChat, from callers'
 * metadata and from whoever writes to Redis. What a template makes is taken as it is by the next one, and nothing else is.
 */
import { printableLines } from '@wechat-outbox/runtime'
import { html as template } from 'hono/html'

declare const made: unique symbol
/** Made by `html` alone. */
export interface Html {
  readonly [made]: true
  toString(): string
}

export type Part = Html | string | number | false | undefined | readonly Part[]

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return template(strings, ...parts.map(visible)) as unknown as Html
}

function visible(part: Part): unknown {
  if (Array.isArray(part)) return part.map(visible)
  if (typeof part === 'string') return printableLines(part)
  // hono trusts every object that has `isEscaped`, and what was read from JSON may have it. What it makes is a String.
  return typeof part === 'object' && !(part instanceof String) ? String(part) : part
}
