import { expect, it } from 'vitest'
import { printAttempts } from '../src/attempts.ts'
import { createOutput } from '../src/output.ts'
import { collector } from './world.ts'

const RID = '5f3ded7d-04448f4b-0a6e7fd1'

function shown(errmsg: string, lang: 'en' | 'zh' = 'en'): string {
  const stdout = collector()
  const output = createOutput({ json: false, lang }, { stdout: stdout.stream, stderr: stdout.stream })
  printAttempts(output, [{ at: 0, outcome: 'dead', ms: 1, errcode: 45_015, errmsg, rid: RID }])
  return stdout.text()
}

it('an answer is shown with its rid once, whether WeChat’s own text has it or not', () => {
  expect(shown(`too late rid: ${RID}`)).toMatch(new RegExp(` too late rid: ${RID}\n$`))
  expect(shown(`too late rid: ${RID}`).split(RID)).toHaveLength(2)
  expect(shown('too late')).toMatch(new RegExp(` too late, rid ${RID}\n$`))
  expect(shown(`too late rid: ${RID}`, 'zh')).toMatch(new RegExp(`重发才有意义。, rid ${RID}\n$`))
})
