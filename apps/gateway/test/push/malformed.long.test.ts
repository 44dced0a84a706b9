import { expect, it } from 'vitest'
import { refuseMalformed } from '../support/malformed-pushes.ts'

it('ten thousand pushes that are WeChat’s but for one thing are refused and leave nothing behind', async () => {
  await expect(refuseMalformed(10_000, 7)).resolves.toBe(undefined)
})
