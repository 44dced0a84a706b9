import { expect, it } from 'vitest'
import { shapeProblem } from '../src/json-shape.ts'

const look = (text: string) => shapeProblem(Buffer.from(text))

it('passes what a batch may hold', () => {
  expect(
    look(JSON.stringify({ messages: Array.from({ length: 1000 }, () => ({ a: '[[[{{{,,,"\\', b: [1] })) })),
  ).toBeNull()
})

it('refuses what is nested deep, or has keys and elements by the million, and no text', () => {
  expect(look('['.repeat(8_000_000))).toBe('is nested more than 32 levels deep')
  const list = `[${'0,'.repeat(9998)}0]`
  expect(look(`[${`${list},`.repeat(9)}0]`)).toBeNull()
  expect(look(`[${`${list},`.repeat(11)}0]`)).toBe('has more than 100000 values')
  expect(look(`[${'0,'.repeat(20_000)}0]`)).toBe('has an object or a list of more than 20000 values')
  expect(look(`{"messages":[]${Array.from({ length: 20_000 }, (_, n) => `,"${n}":0`).join('')}}`)).toBe(
    'has an object or a list of more than 20000 values',
  )
  expect(look(JSON.stringify('[,'.repeat(8_000_000)))).toBeNull()
})
