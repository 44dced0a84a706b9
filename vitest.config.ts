// Every test of the repository, in five projects: `main` is what `pnpm test` runs, the others are asked for by name
// because they take minutes (`long`, `chaos`, `infra`) or a browser (`browser`).
import { delimiter, join } from 'node:path'
import { defineConfig } from 'vitest/config'

const ROOTS = ['packages/*/test', 'apps/*/test', 'test']
const files = (pattern: string): string[] => ROOTS.map((root) => `${root}/**/${pattern}`)

const LONG = files('*.long.test.ts')
const BROWSER = files('*.browser.test.ts')
const CHAOS = files('*.chaos.test.ts')
const INFRA = files('*.infra.test.ts')
// One of its tests downloads a package and runs only where TEST_APT says so, as `pnpm test:long` does.
const DOWNLOADS = 'packages/sandbox/test/find-redis.test.ts'

const MINUTE_MS = 60_000
// Child processes of a test must run on the pinned Node, not on the machine's own.
const PATH = [join(import.meta.dirname, 'node_modules/.bin'), process.env.PATH].join(delimiter)
// They are hundreds of short-lived ones, and spend half of their time compiling the same sources.
const NODE_COMPILE_CACHE = join(import.meta.dirname, 'node_modules/.cache/node')

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    env: { PATH, NODE_COMPILE_CACHE },
    pool: 'forks',
    // The files start processes and servers of their own, and wait for these more than they work.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'main',
          include: files('*.test.ts'),
          exclude: [...LONG, ...BROWSER, ...CHAOS, ...INFRA],
          // Loading the modules anew for each of 240 files took a quarter of the suite's CPU. So a test that changes its process
          // (environment, listeners, timers) puts back what it found.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'browser', include: BROWSER, testTimeout: 2 * MINUTE_MS, hookTimeout: MINUTE_MS },
      },
      { extends: true, test: { name: 'long', include: [...LONG, DOWNLOADS], testTimeout: 10 * MINUTE_MS } },
      { extends: true, test: { name: 'chaos', include: CHAOS, testTimeout: 10 * MINUTE_MS, fileParallelism: false } },
      { extends: true, test: { name: 'infra', include: INFRA, testTimeout: 10 * MINUTE_MS, fileParallelism: false } },
    ],
  },
})
