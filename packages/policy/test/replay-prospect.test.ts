import { expect, it } from 'vitest'
import { reasonKeys, replayProspect, SEND_ERRCODES } from '../src/index.ts'

it.each([
  ['45015', 'after-user-action'],
  ['45047', 'after-user-action'],
  ['40003', 'refused-again'],
  ['40007', 'refused-again'],
  ['invalid-message', 'refused-again'],
  ['media-unavailable', 'sendable'],
  ['-1', 'sendable'],
  ['40164', 'sendable'],
  ['expired', 'sendable'],
  ['unsure', 'sendable'],
  ['99999', 'unknown'],
  ['nobody-knows', 'unknown'],
])('a replay of what died of %s is %s', (key, prospect) => {
  expect(replayProspect(key)).toBe(prospect)
})

it('knows every reason of the table, and calls the codes whose meaning asks for the user', () => {
  expect(reasonKeys().filter((key) => replayProspect(key) === 'unknown')).toEqual([])
  const asking = SEND_ERRCODES.filter(({ meaning }) => meaning.en.includes("after the user's next action"))
  expect(asking.map(({ errcode }) => errcode)).toEqual(
    SEND_ERRCODES.map(({ errcode }) => errcode).filter(
      (errcode) => replayProspect(String(errcode)) === 'after-user-action',
    ),
  )
})
