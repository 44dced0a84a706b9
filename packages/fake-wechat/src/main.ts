#!/usr/bin/env node
// The fake WeChat alone, for trying out any client by hand: `fake-wechat [--port N] [--strict]`.
import { parseArgs } from 'node:util'
import { startFakeWechat } from './server.ts'
import { SANDBOX_APP_ID, SANDBOX_APP_SECRET } from './world.ts'

const USAGE = 'usage: fake-wechat [--port N] [--strict]   (--strict: only users who acted may be written to)'

const readOptions = (): { port: number; strict: boolean } => {
  try {
    // A package manager may hand over the `--` that separated its own options.
    const args = process.argv.slice(2).filter((arg) => arg !== '--')
    const { values } = parseArgs({ args, options: { port: { type: 'string' }, strict: { type: 'boolean' } } })
    const port = Number(values.port ?? 0)
    if (!Number.isInteger(port) || port < 0 || port > 65535) throw new TypeError('--port must be 0 to 65535')
    return { port, strict: values.strict ?? false }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return process.exit(2)
  }
}

const { port, strict } = readOptions()
const fake = await startFakeWechat({ port, windows: strict ? 'strict' : 'open' }).catch((error: unknown) => {
  console.error(`The fake WeChat cannot start: ${error instanceof Error ? error.message : String(error)}`)
  return process.exit(1)
})
console.log(`Fake WeChat listens on ${fake.url}`)
console.log(`  app      ${SANDBOX_APP_ID}   secret ${SANDBOX_APP_SECRET}   (they open nothing but this fake)`)
console.log(`  control  curl ${fake.url}/_control/summary`)
console.log(
  `           curl -X POST ${fake.url}/_control/faults -d '{"rate":0.1,"fault":{"name":"errcode","errcode":-1}}'`,
)

const stop = (): void => void fake.close().then(() => process.exit(0))
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
