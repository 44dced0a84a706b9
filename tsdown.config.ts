// The published packages as ECMAScript modules and as CommonJS, with types for both. Egg, Midway, Nest and Jest are CommonJS,
// and the Node that they run on may be too old to require an ECMAScript module.
import { join } from 'node:path'
import { defineConfig, type UserConfig } from 'tsdown'
import { SCRIPT_TEXTS } from './packages/outbox/src/redis/script-texts.ts'

/** Lua in the code itself: what stands in files beside it, a bundler loses. */
const inlineScripts = {
  name: 'inline-scripts',
  load: {
    filter: { id: /\/packages\/outbox\/src\/redis\/script-texts\.ts$/ },
    handler: () => `export const SCRIPT_TEXTS = ${JSON.stringify(SCRIPT_TEXTS)}`,
  },
}

const INDEX = { index: 'src/index.ts' }

const packageOf = (name: string, programs: Record<string, string> = {}): UserConfig => ({
  cwd: join(import.meta.dirname, 'packages', name),
  format: { esm: { entry: { ...INDEX, ...programs } }, cjs: { entry: INDEX } },
  platform: 'node',
  target: 'node20.0',
  fixedExtension: false,
  dts: { entry: 'src/index.ts', sourcemap: false },
  logLevel: 'error',
  plugins: [inlineScripts],
})

export default defineConfig([
  packageOf('messages'),
  packageOf('outbox'),
  packageOf('fake-wechat', { main: 'src/main.ts' }),
])
