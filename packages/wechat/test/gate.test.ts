import { describe, expect, it } from 'vitest'
import { createGate } from '../src/gate.ts'

describe('the gate', () => {
  it('lets in as many as it has places, and then the one who has waited longest', () => {
    const gate = createGate(2)
    const started: string[] = []
    for (const name of ['a', 'b', 'c', 'd']) gate.enter(() => started.push(name) > 0)
    expect(started).toEqual(['a', 'b'])
    gate.leave()
    expect(started).toEqual(['a', 'b', 'c'])
  })

  it('forgets one who gives up', () => {
    const gate = createGate(1)
    const started: string[] = []
    gate.enter(() => started.push('a') > 0)
    const giveUp = gate.enter(() => started.push('b') > 0)
    gate.enter(() => started.push('c') > 0)
    giveUp()
    gate.leave()
    expect(started).toEqual(['a', 'c'])
  })

  it('passes a place on when it is declined, however often', () => {
    const gate = createGate(1)
    const started: string[] = []
    gate.enter(() => false)
    gate.enter(() => started.push('a') > 0)
    for (let declined = 0; declined < 100_000; declined += 1) gate.enter(() => false)
    gate.enter(() => started.push('b') > 0)
    gate.leave()
    expect(started).toEqual(['a', 'b'])
  })

  it('has its place back when nobody waits', () => {
    const gate = createGate(1)
    const started: string[] = []
    gate.enter(() => started.push('a') > 0)
    gate.leave()
    gate.enter(() => started.push('b') > 0)
    expect(started).toEqual(['a', 'b'])
  })
})
