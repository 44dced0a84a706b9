/**
 * Everything on one machine and in one process, the Redis aside: `start`. The launchers above (npx, pnpm, a shell) are looked at
 * before anything large is loaded: whoever kills one of them in that time must not leave this process behind.
 */
import { endProcess } from '@wechat-outbox/runtime/process-end'
import { endWithParent } from '@wechat-outbox/sandbox'
import { listenForStop } from './stop.ts'

const stop = listenForStop()
await endWithParent(() => stop.request())
const { run } = await import('./run.ts')
endProcess(await run({ args: process.argv.slice(2), env: process.env, stop }))
