/**
 * What a schema says where it has no words of its own. zod's sentences are about types and patterns and partly repeat what was given;
 * these are said after a path ("text.content is missing") and repeat nothing, for what is wrong may be a secret.
 *
 * They are handed to each call of `safeParse`, and not to zod's global configuration, which belongs to the process that uses us.
 */
import type { z } from 'zod'

type Issue = Parameters<z.core.$ZodErrorMap>[0]

/** The second argument of a schema's `safeParse`: `schema.safeParse(input, PLAIN_ERRORS)`. A schema's own messages come first. */
export const PLAIN_ERRORS = { error: sentenceOf } as const

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
  date: 'a date',
  null: 'null',
  undefined: 'absent',
}

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'ISO 8601 with an offset',
  date: 'a date such as 2026-01-31',
  url: 'a URL',
  email: 'an email address',
  uuid: 'a UUID',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  base64: 'base64',
  base64url: 'base64url',
  json_string: 'JSON',
}

/** Sizes, in what they are counted. Numbers have none. */
const UNITS: Readonly<Record<string, string>> = {
  string: 'character',
  file: 'byte',
  array: 'entry',
  set: 'entry',
  map: 'entry',
}
const PLURALS: Readonly<Record<string, string>> = { character: 'characters', byte: 'bytes', entry: 'entries' }

function sentenceOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return isMissing(issue) ? 'is missing' : `must be ${TYPES[issue.expected] ?? 'of another type'}`
    case 'invalid_value':
      return isMissing(issue) ? 'is missing' : oneOf(issue.values)
    case 'invalid_union':
      if (isMissing(issue)) return 'is missing'
      return Array.isArray(issue.options) ? oneOf(issue.options) : 'has none of the forms that are known here'
    case 'too_small':
      return sizeSentence(issue, issue.minimum, issue.inclusive === false ? 'more than' : 'at least')
    case 'too_big':
      return sizeSentence(issue, issue.maximum, issue.inclusive === false ? 'less than' : 'at most')
    case 'invalid_format':
      return formatSentence(issue)
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'unrecognized_keys':
      return 'has a field that is not known here'
    case 'invalid_key':
      return 'has a key of a wrong form'
    case 'invalid_element':
      return 'has an entry of a wrong form'
    case 'custom':
      return 'is refused'
  }
}

/** Of the field itself: what a union looks at may be a field of what was given. */
const isMissing = ({ input }: Issue): boolean => input === undefined

function oneOf(values: readonly unknown[]): string {
  const named = values.map((value) => JSON.stringify(value) ?? String(value))
  return named.length === 1 ? `must be ${named[0]}` : `must be one of ${named.join(', ')}`
}

function sizeSentence(issue: Extract<Issue, { exact?: boolean }>, size: number | bigint, bound: string): string {
  const unit = UNITS[issue.origin]
  if (unit === undefined) return `must be ${issue.exact ? '' : `${bound} `}${size}`
  if (issue.code === 'too_small' && Number(size) === 1) return 'must not be empty'
  return `must have ${issue.exact ? 'exactly' : bound} ${size} ${size === 1 ? unit : PLURALS[unit]}`
}

function formatSentence(issue: Extract<Issue, { code: 'invalid_format' }>): string {
  const { format, prefix, suffix, includes } = issue as typeof issue & Readonly<Record<string, unknown>>
  if (typeof prefix === 'string') return `must start with ${JSON.stringify(prefix)}`
  if (typeof suffix === 'string') return `must end with ${JSON.stringify(suffix)}`
  if (typeof includes === 'string') return `must contain ${JSON.stringify(includes)}`
  const named = FORMATS[format]
  return named === undefined ? 'has a wrong form' : `must be ${named}`
}
