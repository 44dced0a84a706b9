/** The browser of these tests: `CHROMIUM_PATH`, or `chromium` on the PATH. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const ARGS =
  '--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

function chromiumPath(): string {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'chromium'))
  const found = process.env.CHROMIUM_PATH ?? onPath.find((file) => existsSync(file))
  if (found === undefined) throw new Error('There is no Chromium: set CHROMIUM_PATH or put `chromium` on the PATH.')
  return found
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: ARGS.split(' ') })
}
