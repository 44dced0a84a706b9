import { createLogger } from '@wechat-outbox/runtime'
import { expect, it } from 'vitest'
import { createBrake } from '../src/brake.ts'
import { createSignIn } from '../src/sign-in.ts'

const log = createLogger({ level: 'silent', name: 'gateway' })
const open = () => createSignIn({ user: 'operator', password: 'secret', log })
const right = { user: 'operator', password: 'secret' }
const wrong = { user: 'operator', password: 'guess' }

it('lets only the right pair in', () => {
  const signIn = open()
  expect(signIn({ ...right, address: 'a' })).toEqual({ kind: 'in' })
  expect(signIn({ ...wrong, address: 'a' })).toEqual({ kind: 'out' })
  expect(signIn({ user: 'Operator', password: 'secret', address: 'b' })).toEqual({ kind: 'out' })
  expect(signIn({ user: 'operator', password: 'secret ', address: 'c' })).toEqual({ kind: 'out' })
})

it('makes an address wait that guesses, and nobody who knows the password', () => {
  const signIn = open()
  const kinds = Array.from({ length: 6 }, () => signIn({ ...wrong, address: 'a' }).kind)
  expect(kinds).toEqual(['out', 'out', 'out', 'out', 'wait', 'wait'])
  expect(signIn({ ...wrong, address: 'b' }).kind).toBe('out')
  // Behind a proxy everybody comes from the same address.
  expect(signIn({ ...right, address: 'a' }).kind).toBe('in')
})

it('bounds wrong ones over all addresses, and logs no more than these', () => {
  const lines: string[] = []
  const noting = createLogger({
    level: 'info',
    name: 'gateway',
    destination: { write: (line) => void lines.push(line) },
  })
  const signIn = createSignIn({ user: 'operator', password: 'secret', log: noting })
  const startedAt = performance.now()
  const kinds = Array.from({ length: 20_000 }, (_, n) => {
    const address = `2001:db8:${(n % 5000).toString(16)}:1::${n.toString(16)}`
    return signIn({ ...wrong, address }).kind
  })
  const seconds = Math.ceil((performance.now() - startedAt) / 1000) + 1
  expect(kinds.filter((kind) => kind === 'out').length).toBeLessThanOrEqual(20 * seconds)
  expect(lines.length).toBeLessThanOrEqual(20 * seconds)
  expect(signIn({ ...right, address: '2001:db8::1' }).kind).toBe('in')
})

it('forgets the failures of whoever signs in', () => {
  const signIn = open()
  for (let round = 0; round < 5; round += 1) {
    for (let guess = 0; guess < 3; guess += 1) expect(signIn({ ...wrong, address: 'a' }).kind).toBe('out')
    expect(signIn({ ...right, address: 'a' }).kind).toBe('in')
  }
})

it('remembers a bounded number of addresses, the latest ones', () => {
  const brake = createBrake()
  for (let n = 0; n < 4; n += 1) brake.failed('first')
  expect(brake.waitMs('first')).toBeGreaterThan(0)
  for (let n = 0; n < 1000; n += 1) brake.failed(`other-${n}`)
  expect(brake.waitMs('first')).toBe(0)
})
