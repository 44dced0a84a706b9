import { freeLoopbackPort, type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import { afterEach, expect, it } from 'vitest'

const MAIN = `${import.meta.dirname}/../src/main.ts`
let child: StartedProcess | undefined
afterEach(() => child?.kill9())

it.each(['SIGTERM', 'SIGINT'] as const)('runs alone, says where it is and ends with 0 after %s', async (signal) => {
  const port = await freeLoopbackPort()
  child = startProcess({ args: [MAIN, '--port', String(port)] })
  const [, url] = await child.waitForLine(/listens on (http:\S+)/)
  expect(url).toBe(`http://127.0.0.1:${port}`)
  await child.waitForLine(/_control\/summary/)
  expect(await (await fetch(`${url}/_control/summary`)).json()).toMatchObject({ sends: 0 })
  expect(await child.stop(signal)).toEqual({ code: 0, signal: null })
})

it('explains itself when its arguments are wrong', async () => {
  child = startProcess({ args: [MAIN, '--port', 'seven'] })
  expect(await child.exited).toMatchObject({ code: 2 })
  expect(child.stderr()).toMatch(/--port must be.*\nusage:/)
})
