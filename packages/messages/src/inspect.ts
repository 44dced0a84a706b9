/**
 * A look at a value before any schema sees it. Schemas judge shapes; they do not expect cycles, getters, ten megabytes,
 * half a surrogate pair or a key named `__proto__`. Each of these becomes a problem with a path here, in bounded time,
 * and what passes is plain JSON.
 */
import { DEPTH_MAX, REQUEST_BYTES_MAX, VALUES_MAX } from './limits.ts'
import { PROBLEMS_MAX, type Problem } from './problems.ts'

/** Keys that change an object's prototype when something copies them carelessly. */
const POLLUTING_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

interface Look extends JsonSize {
  readonly problems: Problem[]
  /** What is left of the allowed size. The walk ends when it is used up, so a huge value costs no more than a legal one. */
  budgetBytes: number
  /** The same for the number of values: one of a byte costs a schema more than one of a kilobyte. */
  budgetValues: number
}

/** How much a value may hold. */
export interface JsonSize {
  readonly bytesMax: number
  readonly valuesMax: number
}

const OF_A_REQUEST: JsonSize = { bytesMax: REQUEST_BYTES_MAX, valuesMax: VALUES_MAX }

export function inspectJson(value: unknown, { bytesMax, valuesMax }: JsonSize = OF_A_REQUEST): Problem[] {
  const look: Look = { problems: [], budgetBytes: bytesMax, budgetValues: valuesMax, bytesMax, valuesMax }
  visit(value, [], look)
  return look.problems
}

function visit(value: unknown, path: readonly string[], look: Look): void {
  if (look.budgetBytes < 0 || look.problems.length >= PROBLEMS_MAX) return
  if (path.length > DEPTH_MAX) return report(look, path, `is nested more than ${DEPTH_MAX} levels deep`)
  look.budgetValues -= 1
  if (look.budgetValues < 0) {
    look.budgetBytes = -1
    return report(look, [], `has more than ${look.valuesMax} values`)
  }
  switch (typeof value) {
    case 'string':
      return visitString(value, path, look)
    case 'number':
      return Number.isFinite(value) ? spend(look, path, 8) : report(look, path, 'must be a finite number')
    case 'boolean':
    case 'undefined':
      return spend(look, path, 4)
    case 'object':
      return value === null ? spend(look, path, 4) : visitObject(value, path, look)
    default:
      return report(look, path, `must be JSON, not a ${typeof value}`)
  }
}

function visitString(value: string, path: readonly string[], look: Look): void {
  // The length is asked first: encoding ten megabytes to count their bytes would be the cost we are avoiding.
  if (value.length > look.budgetBytes) return tooLarge(look, path)
  spend(look, path, Buffer.byteLength(value))
  if (!value.isWellFormed()) report(look, path, 'contains half of a surrogate pair, which is not valid Unicode')
  if (value.includes('\0')) report(look, path, 'contains a NUL character')
}

function visitObject(value: object, path: readonly string[], look: Look): void {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      if (look.budgetBytes < 0 || look.problems.length >= PROBLEMS_MAX) return
      spend(look, path, 1)
      const at = [...path, String(index)]
      const item = Object.getOwnPropertyDescriptor(value, index)
      if (item !== undefined && !('value' in item)) report(look, at, 'must be a value, not a getter')
      else visit(item?.value, at, look)
    }
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return report(look, path, 'must be a plain object')
  for (const key of Object.getOwnPropertyNames(value)) {
    if (look.budgetBytes < 0 || look.problems.length >= PROBLEMS_MAX) return
    const at = [...path, shownKey(key)]
    const descriptor = Object.getOwnPropertyDescriptor(value, key)
    if (POLLUTING_KEYS.has(key)) report(look, at, 'is not an allowed key')
    else if (descriptor === undefined || !('value' in descriptor)) report(look, at, 'must be a value, not a getter')
    else {
      visitString(key, at, look)
      visit(descriptor.value, at, look)
    }
  }
}

/** A key as it stands in a path: somebody's content may have ended up in it. */
export function shownKey(key: string): string {
  return key.length > 64 ? `${key.slice(0, 64)}…` : key
}

function spend(look: Look, path: readonly string[], bytes: number): void {
  look.budgetBytes -= bytes
  if (look.budgetBytes < 0) tooLarge(look, path)
}

function tooLarge(look: Look, path: readonly string[]): void {
  look.budgetBytes = -1
  report(look, path, `makes the request larger than ${look.bytesMax} bytes`)
}

function report(look: Look, path: readonly string[], message: string): void {
  look.problems.push({ path: path.join('.'), message })
}
