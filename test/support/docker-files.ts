// Reads the Dockerfile, .dockerignore and the compose file as far as this repository uses them, so that a machine
// without Docker can do what they say. What is not understood is an error: it would otherwise go untested.
import { cp, readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

export interface Instruction {
  readonly name: string
  readonly value: string
}

/** The stages of a Dockerfile, each a list of instructions that begins with its FROM. */
export async function readDockerfile(file: string): Promise<Instruction[][]> {
  const text = (await readFile(file, 'utf8')).replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n/g, ' ')
  const stages: Instruction[][] = []
  for (const line of text.split('\n').filter((text) => text.trim() !== '')) {
    const [, name = '', value = ''] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? []
    if (name === 'FROM') stages.push([])
    stages.at(-1)?.push({ name, value })
  }
  return stages
}

/** What a .dockerignore leaves out. Paths are relative to the repository, with slashes. The last pattern that fits wins. */
export async function readDockerignore(file: string): Promise<(path: string) => boolean> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const patterns = lines.map((line) => ({ keeps: line.startsWith('!'), fits: globOf(line.replace(/^!/, '')) }))
  return (path) => {
    const parts = path.split('/')
    // A pattern that fits a folder fits everything in it.
    const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'))
    const last = patterns.findLast(({ fits }) => prefixes.some((prefix) => fits.test(prefix)))
    return last !== undefined && !last.keeps
  }
}

/** `*` stands for names with a leading dot, too; that is where Docker differs from most. */
function globOf(pattern: string): RegExp {
  const parts = pattern.split('/').map((part) => part.replaceAll(/[.+^$()[\]{}|\\]/g, '\\$&').replaceAll('*', '[^/]*'))
  return new RegExp(`^${parts.join('/').replaceAll('[^/]*[^/]*/', '(?:.*/)?')}$`)
}

/** `COPY . .`: the build's context into a folder. */
export async function copyContext(root: string, to: string, isIgnored: (path: string) => boolean): Promise<void> {
  const filter = (source: string): boolean => source === root || !isIgnored(relative(root, source))
  await cp(root, to, { recursive: true, filter, verbatimSymlinks: true })
}

const serviceSchema = z.object({
  image: z.string(),
  command: z.array(z.string()),
  restart: z.string(),
  stop_grace_period: z.string().regex(/^\d+s$/),
  environment: z.record(z.string(), z.union([z.string(), z.number()]).transform(String)).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.tuple([z.enum(['CMD', 'CMD-SHELL'])], z.string()) }),
})
const composeSchema = z.object({ services: z.record(z.string(), serviceSchema) })

export type ComposeService = z.output<typeof serviceSchema>

/** The services of a compose file, anchors and merges resolved, variables not. */
export async function readCompose(file: string): Promise<Record<string, ComposeService>> {
  return composeSchema.parse(parse(await readFile(file, 'utf8'), { merge: true })).services
}

/** `${NAME:?message}`, `${NAME:-default}`. @throws where a required variable is missing, as Compose does */
export function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{\w+(?::[?-][^}]*)?\}/g, (placeholder) => {
    const [, name = '', kind, rest = ''] = /^\$\{(\w+)(?::([?-])(.*))?\}$/.exec(placeholder) ?? []
    const value = env[name] ?? ''
    if (value !== '') return value
    if (kind === '?') throw new Error(`required variable ${name} is missing a value: ${rest}`)
    return rest
  })
}
