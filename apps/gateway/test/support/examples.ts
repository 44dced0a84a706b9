/** Good and bad values made of a JSON schema, as far as the schemas of the OpenAPI document go. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly examples?: readonly unknown[]
  readonly format?: string
  readonly minimum?: number
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

type Resolve = (ref: string) => Schema
type Json = Record<string, unknown>

/** One good value for each shape that the schema allows, with everything in it that may be. */
export function goodValues(schema: Schema, resolve: Resolve): unknown[] {
  if (schema.$ref !== undefined) return goodValues(resolve(schema.$ref), resolve)
  const branches = schema.properties === undefined ? (schema.oneOf ?? schema.anyOf) : wholeBranches(schema)
  if (branches !== undefined) return branches.flatMap((branch) => goodValues(branch, resolve))
  if (schema.const !== undefined) return [schema.const]
  if (schema.enum !== undefined) return [schema.enum[0]]
  if (schema.examples !== undefined) return [schema.examples[0]]
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {})
      return [Object.fromEntries(fields.map(([name, field]) => [name, goodValues(field, resolve)[0]]))]
    }
    case 'array':
      return [schema.items === undefined ? [] : goodValues(schema.items, resolve)]
    case 'null':
      return [null]
    case 'integer':
      return [schema.minimum ?? 1]
    default:
      return [
        schema.format === 'uri'
          ? 'https://shop.example/a'
          : schema.format === 'date-time'
            ? '2030-01-01T00:00:00Z'
            : 'x',
      ]
  }
}

/** Branches of an object that has properties beside them: each with those, as far as it does not say otherwise. */
function wholeBranches({ oneOf, anyOf, ...schema }: Schema): Schema[] | undefined {
  return (oneOf ?? anyOf)?.map(({ properties }) => ({ ...schema, properties: { ...schema.properties, ...properties } }))
}

export interface Spoilt {
  readonly value: unknown
  /** Where it was spoilt. */
  readonly path: string
}

/** A good value, spoilt in one place each: what is required is missing, of another type, or has a stranger beside it. */
export function spoiltValues(good: unknown, schema: Schema, resolve: Resolve): Spoilt[] {
  if (schema.$ref !== undefined) return spoiltValues(good, resolve(schema.$ref), resolve)
  const branch = schema.properties === undefined ? branchOf(good, schema, resolve) : schema
  if (branch !== schema) return spoiltValues(good, branch, resolve)
  if (schema.type === 'array') {
    const [first, ...rest] = good as unknown[]
    const spoilt = spoiltValues(first, schema.items ?? {}, resolve)
    return spoilt.map(({ value, path }) => ({ value: [value, ...rest], path: join('0', path) }))
  }
  if (schema.type !== 'object' || schema.properties === undefined) return []
  const object = good as Json
  const spoilt: Spoilt[] = [{ value: { ...object, stranger: 1 }, path: 'stranger' }]
  for (const [name, field] of Object.entries(schema.properties)) {
    const { [name]: value, ...rest } = object
    if (value === undefined) continue
    if (schema.required?.includes(name)) spoilt.push({ value: rest, path: name })
    spoilt.push({ value: { ...object, [name]: typeof value === 'boolean' ? 'x' : true }, path: name })
    for (const inside of spoiltValues(value, field, resolve)) {
      spoilt.push({ value: { ...object, [name]: inside.value }, path: join(name, inside.path) })
    }
  }
  return spoilt
}

const join = (one: string, other: string): string => (other === '' ? one : `${one}.${other}`)

/** The shape that a value was made of: the first in which every constant is the value's own. */
function branchOf(good: unknown, schema: Schema, resolve: Resolve): Schema {
  const fits = (one: Schema): boolean =>
    Object.entries(one.properties ?? {}).every(
      ([name, field]) => field.const === undefined || field.const === (good as Json)[name],
    )
  return (
    (schema.oneOf ?? schema.anyOf)?.map((one) => (one.$ref === undefined ? one : resolve(one.$ref))).find(fits) ??
    schema
  )
}
