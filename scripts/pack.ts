/** The tarballs of the published packages, as a registry would get them: packed by pnpm, which applies `publishConfig`. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT, run } from './run.ts'

export const PUBLISHED = ['messages', 'outbox'] as const

/** Packs one package into an empty or missing folder. Its `prepack` compiles it. @throws with pnpm's output */
export async function pack(name: (typeof PUBLISHED)[number], folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const cwd = join(ROOT, 'packages', name)
  const packed = await run(['npx', '-y', 'pnpm@12', 'pack', '--pack-destination', folder], { cwd })
  const tarball = (await readdir(folder)).find(
    (file) => file.startsWith(`wechat-outbox-${name}-`) && file.endsWith('.tgz'),
  )
  if (!packed.ok || tarball === undefined) throw new Error(`packages/${name} could not be packed:\n${packed.output}`)
  return join(folder, tarball)
}
