import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { confirm } from '../src/confirm.ts'

const answering = async (text: string | null): Promise<{ answer: boolean; asked: string }> => {
  const input = new PassThrough()
  const output = new PassThrough()
  const answer = confirm('discard 2 dead letters?', { input, output, interactive: true })
  input.end(text ?? undefined)
  return { answer: await answer, asked: String(output.read()) }
}

it.each([
  ['y\n', true],
  ['YES\n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
  [null, false],
])('takes %j for %s', async (text, expected) => {
  const { answer, asked } = await answering(text)
  expect(answer).toBe(expected)
  expect(asked).toContain('discard 2 dead letters? [y/N]')
})
