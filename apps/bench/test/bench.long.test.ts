import { it } from 'vitest'
import { expectMeasured } from './support/measured.ts'

it('measures everything once in a quick run', { timeout: 600_000 }, () => expectMeasured([]))
