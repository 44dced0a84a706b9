import { expect, it } from 'vitest'
import { refuseMalformed } from '../support/malformed-pushes.ts'

it('pushes that are WeChat’s but for one thing are refused and leave nothing behind', async () => {
  await expect(refuseMalformed(2000, 20_261)).resolves.toBe(undefined)
})
