/**
 * Loads the packed packages as a service would, from the tarballs and out of a folder of their own, once as ECMAScript modules and
 * once as CommonJS. Only what they depend on is the workspace's, so nothing is installed; `test/packed.long.test.ts` installs them.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Packed, PUBLISHED, SCOPE } from './pack.ts'
import { type Finished, ROOT, run } from './run.ts'

const USE = `
async function use({ checkSendRequest, sendRequestSchema }, { Outbox, OutboxError }, { startFakeWechat }) {
  const request = { touser: 'oAnna', msgtype: 'text', text: { content: 'hello' } }
  const fake = await startFakeWechat()
  await fetch(fake.url + '/cgi-bin/message/custom/send', { method: 'POST', body: JSON.stringify(request) })
  const outbox = new Outbox({ redis: 'redis://127.0.0.1:1', appid: 'wx1234567890abcdef' })
  const refused = await outbox.send(request).catch((error) => error instanceof OutboxError && error.code)
  await Promise.all([outbox.close(), fake.close()])
  const got = [checkSendRequest(request, sendRequestSchema()).ok, fake.ledger.summary().sends, refused]
  if (got.join() !== 'true,1,WXO_UNAVAILABLE') throw new Error('got ' + got)
}
`
const USES = {
  'use.mjs': `${USE}use(${PUBLISHED.map((name) => `await import('${SCOPE}/${name}')`).join(', ')})`,
  'use.cjs': `${USE}use(${PUBLISHED.map((name) => `require('${SCOPE}/${name}')`).join(', ')})`,
}

/** @param folder empty or missing */
export async function loadPacked(folder: string, packed: readonly Packed[]): Promise<Finished[]> {
  for (const { name, tarball } of packed) {
    const target = join(folder, 'node_modules', SCOPE, name)
    await mkdir(target, { recursive: true })
    const unpacked = await run(['tar', '-xzf', tarball, '-C', target, '--strip-components=1'])
    if (!unpacked.ok) return [unpacked]
    const manifest = JSON.parse(await readFile(join(target, 'package.json'), 'utf8')) as { dependencies?: object }
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      if (dependency.startsWith(SCOPE)) continue
      const link = join(target, 'node_modules', dependency)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(ROOT, 'packages', name, 'node_modules', dependency), link)
    }
  }
  return Promise.all(
    Object.entries(USES).map(async ([file, text]) => {
      await writeFile(join(folder, file), text)
      return run(['node', file], { cwd: folder, timeoutMs: 60_000 })
    }),
  )
}
