// Fresh projects of other services, each as its own tools make them: what they write in them, and how they turn it into something that
// Node runs. All of them use the three published packages, store a message in Redis and read it back.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PUBLISHED } from '../../scripts/pack.ts'
import { ROOT } from '../../scripts/run.ts'

const USE = `
  const fake = await startFakeWechat()
  const request = { touser: 'o' + process.pid, msgtype: 'text', text: { content: '您好' } }
  const checked = checkSendRequest({ ...request, text: {} }, sendRequestSchema())
  const outbox = new Outbox({ redis: process.env['REDIS_URL'], appid: SANDBOX_APP_ID })
  const receipt = await outbox.send({ ...request, idempotencyKey: 'order-' + process.pid })
  const report = await outbox.status(receipt.id)
  const refused = await outbox.send({ ...request, msgtype: 'txt' }).catch((error) => error instanceof OutboxError && error.code)
  await outbox.close()
  await fetch(fake.url + '/cgi-bin/message/custom/send', { method: 'POST', body: JSON.stringify(request) })
  await fake.close()
  return [report.status, refused, checked.ok, fake.ledger.summary().sends].join()
`
/** What every project says last when all is well. */
export const SAID = 'queued,WXO_INVALID,false,1'

const NAMES = [
  ['{ Outbox, OutboxError }', '@wechat-outbox/outbox'],
  ['{ checkSendRequest, sendRequestSchema }', '@wechat-outbox/messages'],
  ['{ SANDBOX_APP_ID, startFakeWechat }', '@wechat-outbox/fake-wechat'],
] as const
const IMPORTS = NAMES.map(([names, from]) => `import ${names} from '${from}'\n`).join('')
const REQUIRES = NAMES.map(([names, from]) => `const ${names} = require('${from}')\n`).join('')
const SCRIPT = `async function use() {${USE}}\nuse().then(console.log)\n`
const TYPED = `${IMPORTS}
import type { SendRequest } from '@wechat-outbox/messages'
import type { Receipt } from '@wechat-outbox/outbox'
import type { FakeWechat, FaultRule } from '@wechat-outbox/fake-wechat'

async function use(): Promise<string> {
  const fake: FakeWechat = await startFakeWechat({ windows: 'strict' })
  const rule: FaultRule = { endpoint: 'token', fault: 'html502' }
  fake.control.addFault(rule)
  fake.control.user('o' + process.pid, 'message')
  const request: SendRequest = { touser: 'o' + process.pid, msgtype: 'text', text: { content: '您好' } }
  // @ts-expect-error: an image has no text
  const wrong: SendRequest = { touser: 'o' + process.pid, msgtype: 'image', text: { content: '您好' } }
  const checked = checkSendRequest(wrong, sendRequestSchema())
  const outbox = new Outbox({ redis: process.env['REDIS_URL'] ?? '', appid: SANDBOX_APP_ID })
  const receipt: Receipt = await outbox.send(request)
  const report = await outbox.status(receipt.id)
  const refused = await outbox.send(wrong).catch((error: unknown) => (error instanceof OutboxError ? error.code : error))
  await outbox.close()
  await fetch(fake.url + '/cgi-bin/message/custom/send', { method: 'POST', body: JSON.stringify(request) })
  await fake.close()
  return [report?.status, refused, checked.ok, fake.ledger.summary().sends].join()
}
void use().then(console.log)
`
const JEST = `${REQUIRES}
test('a message is stored', async () => {
  const use = async () => {${USE}}
  expect(await use()).toBe('${SAID}')
})
`

export interface Project {
  readonly name: string
  readonly files: Readonly<Record<string, string>>
  /** Run once, by the machine's Node, in the project's folder. */
  readonly build?: readonly string[]
  /** What Node is given to run. Redis stands in `REDIS_URL`. */
  readonly start: readonly string[]
}

const manifest = (type: 'module' | 'commonjs'): string => JSON.stringify({ private: true, type })

function typescript(name: string, type: 'module' | 'commonjs', options: object): Project {
  // Nothing is skipped: a declaration that the consumer's own compiler cannot read is ours to mend.
  const compilerOptions = {
    strict: true,
    target: 'es2022',
    types: ['node'],
    skipLibCheck: false,
    outDir: 'out',
    ...options,
  }
  return {
    name,
    files: {
      'package.json': manifest(type),
      'tsconfig.json': JSON.stringify({ compilerOptions, files: ['use.ts'] }),
      'use.ts': TYPED,
    },
    build: ['tsc', '-p', '.'],
    start: ['out/use.js'],
  }
}

function bundle(format: 'esm' | 'cjs'): Project {
  const out = format === 'esm' ? 'out.mjs' : 'out.cjs'
  // What esbuild's users write for CommonJS packages in an ECMAScript module, ours or not.
  const require = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"
  const banner = format === 'esm' ? [`--banner:js=${require}`] : []
  const options = ['--bundle', '--platform=node', '--target=node20.0', `--format=${format}`, ...banner]
  return {
    name: `esbuild, ${format}`,
    files: { 'use.mjs': IMPORTS + SCRIPT },
    build: ['esbuild', 'use.mjs', ...options, `--outfile=${out}`, '--log-level=warning'],
    start: [out],
  }
}

/** What the READMEs show, as they show it. */
function examples(): Project {
  const project = typescript('the examples of the READMEs', 'module', { module: 'nodenext' })
  const texts = PUBLISHED.map((name) => {
    const [, text = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, 'packages', name, 'README.md'), 'utf8')) ?? []
    return [`${name}.ts`, text.replace("'redis://127.0.0.1:6379'", "process.env['REDIS_URL'] ?? ''")] as const
  })
  const use = PUBLISHED.map((name) => `await import('./${name}.js')\n`).join('')
  const files = {
    ...project.files,
    ...Object.fromEntries(texts),
    'use.ts': `${use}console.log('${SAID}')\nexport {}\n`,
  }
  return { ...project, files }
}

export const PROJECTS: readonly Project[] = [
  { name: 'ESM', files: { 'package.json': manifest('module'), 'use.js': IMPORTS + SCRIPT }, start: ['use.js'] },
  { name: 'CommonJS', files: { 'package.json': manifest('commonjs'), 'use.js': REQUIRES + SCRIPT }, start: ['use.js'] },
  typescript('TypeScript, node16, ESM', 'module', { module: 'node16' }),
  typescript('TypeScript, node16, CommonJS', 'commonjs', { module: 'node16' }),
  typescript('TypeScript, nodenext, ESM', 'module', { module: 'nodenext' }),
  typescript('TypeScript, nodenext, CommonJS', 'commonjs', { module: 'nodenext' }),
  typescript('TypeScript, bundler', 'module', { module: 'esnext', moduleResolution: 'bundler' }),
  typescript('TypeScript, node10', 'commonjs', {
    module: 'commonjs',
    moduleResolution: 'node10',
    esModuleInterop: true,
  }),
  examples(),
  bundle('esm'),
  bundle('cjs'),
  {
    name: 'Jest',
    files: { 'package.json': manifest('commonjs'), 'use.test.js': JEST },
    start: ['../node_modules/jest/bin/jest.js', '--rootDir=.', '--cacheDirectory=.cache'],
  },
]
