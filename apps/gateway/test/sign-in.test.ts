import { createLogger } from '@wechat-outbox/runtime'
import { expect, it } from 'vitest'
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

it('makes an address wait that guesses, and no other', () => {
  const signIn = open()
  const kinds = Array.from({ length: 6 }, () => signIn({ ...wrong, address: 'a' }).kind)
  expect(kinds).toEqual(['out', 'out', 'out', 'out', 'wait', 'wait'])
  expect(signIn({ ...right, address: 'a' }).kind).toBe('wait')
  expect(signIn({ ...right, address: 'b' }).kind).toBe('in')
})

it('forgets the failures of whoever signs in', () => {
  const signIn = open()
  for (let round = 0; round < 5; round += 1) {
    for (let guess = 0; guess < 3; guess += 1) expect(signIn({ ...wrong, address: 'a' }).kind).toBe('out')
    expect(signIn({ ...right, address: 'a' }).kind).toBe('in')
  }
})

it('remembers a bounded number of addresses, the latest ones', () => {
  const signIn = open()
  const guess = (address: string) => signIn({ ...wrong, address }).kind
  for (let n = 0; n < 4; n += 1) guess('first')
  expect(guess('first')).toBe('wait')
  for (let n = 0; n < 1000; n += 1) guess(`other-${n}`)
  expect(guess('first')).toBe('out')
})
