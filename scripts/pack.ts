/** The published packages: built once, and packed by pnpm as a registry would get them, with `publishConfig` applied. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

export const PUBLISHED = ['messages', 'outbox', 'fake-wechat'] as const
export const SCOPE = '@wechat-outbox'

export interface Packed {
  readonly name: (typeof PUBLISHED)[number]
  readonly tarball: string
}

/** Builds and packs all of them into an empty or missing folder. @throws with what the tools say */
export async function packAll(folder: string): Promise<Packed[]> {
  await mkdir(folder, { recursive: true })
  const filters = PUBLISHED.map((name) => `--filter=${SCOPE}/${name}`)
  for (const command of [
    ['tsdown'],
    ['npx', '-y', 'pnpm@12', '--recursive', ...filters, 'pack', '--pack-destination', folder],
  ]) {
    const { ok, output } = await run(command)
    if (!ok) throw new Error(`${command.join(' ')} failed:\n${output}`)
  }
  const files = (await readdir(folder)).filter((file) => file.endsWith('.tgz'))
  return PUBLISHED.map((name) => {
    const tarball = files.find((file) => file.startsWith(`wechat-outbox-${name}-`))
    if (tarball === undefined) throw new Error(`packages/${name} was not packed`)
    return { name, tarball: join(folder, tarball) }
  })
}
