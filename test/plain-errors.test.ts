// What a user reads when something that was handed in is wrong: sentences of ours, and none of zod's. Every schema that a source exports
// is given half-right values, made out of the schema itself, so that each of its fields is wrong in every way now and then.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PLAIN_ERRORS } from '@wechat-outbox/messages'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ROOT } from '../scripts/run.ts'

const ZODS_OWN = /Invalid|[Ee]xpected|received|Too (?:big|small)|Unrecognized|pattern/

const sources = globSync('{packages,apps}/*/src/**/*.ts', { cwd: ROOT }).map((file) => ({
  file,
  text: readFileSync(join(ROOT, file), 'utf8'),
}))
const withSchemas = sources.filter(({ text }) => /^import \{.*\bz\b.*\} from 'zod'/m.test(text))

/** Exported functions that make a schema take the reader of a reason's name, if anything. */
const noReason = (): undefined => undefined
const FACTORIES: Readonly<Record<string, (make: never) => z.ZodType>> = {
  sendRequestSchema: (make: () => z.ZodType) => make(),
  storedRequestSchema: (make: () => z.ZodType) => make(),
  deadLetterFilterSchema: (make: (keyOf: unknown) => z.ZodType) => make(noReason),
  taskRequestSchema: (make: (keyOf: unknown) => z.ZodType) => make(noReason),
}

const exported = await Promise.all(
  withSchemas.map(async ({ file }) =>
    Object.entries((await import(join(ROOT, file))) as Record<string, unknown>).map(([name, value]) => ({
      file,
      name,
      value,
    })),
  ),
)
const schemas = exported.flat().flatMap(({ file, name, value }) => {
  const schema = typeof value === 'function' && name in FACTORIES ? FACTORIES[name]?.(value as never) : value
  return schema instanceof z.ZodType ? [{ name: `${name} of ${file}`, schema }] : []
})

const garbage = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    '',
    ' ',
    'x',
    '7',
    'x'.repeat(5000),
    0,
    -1,
    1.5,
    1e15,
    Number.NaN,
    true,
    [],
    {},
    [[]],
    ['x'],
    { x: 1 },
  ),
  fc.constantFrom(
    new Date(0),
    Array.from({ length: 1001 }, () => 'x'),
  ),
)

type Def = Readonly<Record<string, unknown>> & { readonly type: string }

/** Values that a schema takes in part. */
function nearly(schema: z.ZodType): fc.Arbitrary<unknown> {
  const {
    type,
    shape,
    options,
    innerType,
    in: first,
    element,
    valueType,
    entries,
    values,
  } = schema._zod.def as unknown as Def
  const oneOf = (...some: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> => fc.oneof(garbage, ...some)
  switch (type) {
    case 'object': {
      const fields = Object.entries(shape as Record<string, z.ZodType>).map(
        ([key, field]) => [key, nearly(field)] as const,
      )
      const record = fc.record(Object.fromEntries(fields), { requiredKeys: [] })
      return oneOf(
        record,
        record,
        fc.tuple(record, garbage).map(([known, unknown]) => ({ ...known, unheardOf: unknown })),
      )
    }
    case 'union':
      return oneOf(...(options as z.ZodType[]).map(nearly))
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
      return oneOf(nearly(innerType as z.ZodType))
    case 'pipe':
      return oneOf(nearly(first as z.ZodType))
    case 'array':
      return oneOf(fc.array(nearly(element as z.ZodType), { maxLength: 3 }))
    case 'record':
      return oneOf(fc.dictionary(fc.constantFrom('a', 'b', ''), nearly(valueType as z.ZodType)))
    case 'enum':
      return oneOf(fc.constantFrom(...Object.values(entries as object)))
    case 'literal':
      return oneOf(fc.constantFrom(...(values as unknown[])))
    default:
      return garbage
  }
}

function sentences({ issues }: { readonly issues: readonly z.core.$ZodIssue[] }): string[] {
  return issues.flatMap((issue) => [issue.message, ...(issue.code === 'invalid_key' ? sentences(issue) : [])])
}

it('looks at the schemas of all processes', () => {
  const names = schemas.map(({ name }) => name).join()
  for (const one of [
    'sendRequestSchema',
    'taskRequestSchema',
    'gatewayEnvSchema',
    'workerEnvSchema',
    'keyEntrySchema',
  ]) {
    expect(names).toContain(one)
  }
  for (const one of ['appsFileSchema', 'userActionSchema', 'batchRequest', 'messagesQuery', 'overviewQuery']) {
    expect(names).toContain(one)
  }
  const factories = exported.flat().filter(({ name, value }) => typeof value === 'function' && name.endsWith('Schema'))
  expect(Object.keys(FACTORIES)).toEqual(expect.arrayContaining(factories.map(({ name }) => name)))
})

it.each(schemas)('$name says what is wrong in words of ours', ({ schema }) => {
  const check = (value: unknown): void => {
    const { error } = schema.safeParse(value, PLAIN_ERRORS)
    const wrong = sentences(error ?? { issues: [] }).filter((sentence) => ZODS_OWN.test(sentence) || sentence === '')
    expect(wrong).toEqual([])
  }
  fc.assert(fc.property(nearly(schema), check), { numRuns: 40, seed: 1 })
})

describe('a source that reads what is wrong', () => {
  it('hands over the words for it', () => {
    const wordless = sources.flatMap(({ file, text }) =>
      text
        .split('\n')
        .filter((line) => {
          if (!/safeParse\(/.test(line) || /PLAIN_ERRORS|\)\.(?:success|data)\b/.test(line)) return false
          const [, result] = /const (\w+) = /.exec(line) ?? []
          return result === undefined || new RegExp(`\\b${result}\\.error\\b`).test(text)
        })
        .map((line) => `${file}: ${line.trim()}`),
    )
    expect(wordless).toEqual([])
    expect(sources.filter(({ text }) => /prettifyError|treeifyError|flattenError/.test(text))).toEqual([])
  })
})

describe('the words', () => {
  const say = (schema: z.ZodType, value: unknown): string | undefined =>
    schema.safeParse(value, PLAIN_ERRORS).error?.issues[0]?.message

  it.each([
    [z.string(), undefined, 'is missing'],
    [z.enum(['a', 'b']), undefined, 'is missing'],
    [z.union([z.string(), z.number()]), undefined, 'is missing'],
    [z.string(), 7, 'must be a string'],
    [z.number(), '7', 'must be a number'],
    [z.int(), 1.5, 'must be a whole number'],
    [z.boolean(), 'true', 'must be true or false'],
    [z.array(z.string()), {}, 'must be a list'],
    [z.object({}), [], 'must be an object'],
    [z.enum(['a', 'b']), 'c', 'must be one of "a", "b"'],
    [z.literal(1), 2, 'must be 1'],
    [
      z.discriminatedUnion('k', [z.object({ k: z.literal('a') }), z.object({ k: z.literal('b') })]),
      { k: 'c' },
      'must be one of "a", "b"',
    ],
    [z.union([z.string(), z.number()]), true, 'has none of the forms that are known here'],
    [z.string().min(1), '', 'must not be empty'],
    [z.string().min(3), 'a', 'must have at least 3 characters'],
    [z.string().max(2), 'abc', 'must have at most 2 characters'],
    [z.string().length(2), 'abc', 'must have exactly 2 characters'],
    [z.array(z.string()).max(1), ['a', 'b'], 'must have at most 1 entry'],
    [z.number().min(3), 1, 'must be at least 3'],
    [z.number().positive(), 0, 'must be more than 0'],
    [z.number().max(3), 4, 'must be at most 3'],
    [z.number().multipleOf(5), 4, 'must be a multiple of 5'],
    [z.url(), 'x', 'must be a URL'],
    [z.string().startsWith('wx'), 'x', 'must start with "wx"'],
    [z.string().regex(/secret/), 'x', 'has a wrong form'],
    [z.strictObject({}), { s3cret: 1 }, 'has a field that is not known here'],
    [z.record(z.enum(['a']), z.string()), { a: '', b: '' }, 'has a field that is not known here'],
    [z.string().refine(() => false), 'x', 'is refused'],
  ])('%#: %s', (schema, value, sentence) => expect(say(schema, value)).toBe(sentence))
})
