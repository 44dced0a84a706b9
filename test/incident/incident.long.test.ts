// `pnpm incident` as it is called: with all of its messages, and with an argument that it refuses.
import { expect, it } from 'vitest'
import { run } from '../../scripts/run.ts'

it('plays the whole incident, every row holds, and it ends by itself', async () => {
  const { ok, output } = await run(['node', 'test/incident/main.ts'], { timeoutMs: 500_000 })
  process.stdout.write(output)
  expect(ok).toBe(true)
  expect(output.match(/^\|.*\| ok \|$/gm)).toHaveLength(20)
})

it('refuses a scale that is none', async () => {
  const { ok, output } = await run(['node', 'test/incident/main.ts', '--scale', 'all'])
  expect(ok).toBe(false)
  expect(output).toContain('--scale must be from 0.01 to 2')
})
