// Who may know whom. The arrows point from what changes often to what others rely on: apps → policy, wechat, outbox,
// runtime → messages. Checked twice: in what a package declares, and in what its sources import.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../scripts/run.ts'

const SCOPE = '@wechat-outbox/'
const PACKAGES = ['messages', 'policy', 'wechat', 'outbox', 'runtime', 'fake-wechat', 'sandbox']

/** What the sources of each may import of ours. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  messages: [],
  policy: ['messages'],
  wechat: ['messages'],
  outbox: ['messages'],
  runtime: ['messages', 'outbox'],
  'fake-wechat': [],
  sandbox: [],
  'test-world': ['messages', 'outbox', 'sandbox'],
  worker: ['messages', 'policy', 'wechat', 'outbox', 'runtime'],
  gateway: ['messages', 'policy', 'wechat', 'outbox', 'runtime'],
  cli: ['messages', 'policy', 'outbox', 'runtime', 'wechat'],
  // For one machine, and for measuring: these put the whole house together.
  standalone: [...PACKAGES, 'worker', 'gateway', 'cli'],
  bench: [...PACKAGES, 'worker', 'gateway'],
}

/** Foreign packages that have one home here. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  ioredis: ['outbox'],
  bullmq: ['outbox', 'gateway', 'bench'],
  undici: ['wechat', 'bench'],
  'pg-boss': ['bench'],
}

interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const members = globSync('{apps,packages}/*/package.json', { cwd: ROOT }).map((file) => {
  const folder = join(ROOT, dirname(file))
  const manifest = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Manifest
  return { name: manifest.name.slice(SCOPE.length), folder, declared: Object.keys(manifest.dependencies ?? {}) }
})

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^'\s]+)'/g

function importsOf(folder: string, parts = 'src'): { file: string; specifier: string }[] {
  return globSync(`${parts}/**/*.ts`, { cwd: folder }).flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(IMPORT)].map(([, specifier = '']) => ({ file, specifier })),
  )
}

const ourNames = (names: readonly string[]): string[] =>
  names.filter((name) => name.startsWith(SCOPE)).map((name) => name.slice(SCOPE.length))

describe.each(members)('$name', ({ name, folder, declared }) => {
  const imports = importsOf(folder)

  it('declares only what it may know', () => {
    expect(Object.keys(ALLOWED)).toContain(name)
    expect(ALLOWED[name]).toEqual(expect.arrayContaining(ourNames(declared)))
  })

  it('imports only what it declares', () => {
    const foreign = imports.filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    const packages = foreign.map(({ specifier }) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'))
    expect(declared).toEqual(expect.arrayContaining([...new Set(packages)]))
  })

  it('reaches into no other package by a relative path', () => {
    const parts = name === 'sandbox' ? 'src' : '{src,test,scripts}'
    const leaving = importsOf(folder, parts).filter(
      ({ file, specifier }) =>
        specifier.startsWith('.') && relative(folder, join(folder, dirname(file), specifier)).startsWith('..'),
    )
    expect(leaving).toEqual([])
  })

  it('uses BullMQ, ioredis, undici and pg-boss only where they live', () => {
    const used = Object.keys(HOMES).filter((foreign) => imports.some(({ specifier }) => specifier === foreign))
    expect(used.filter((foreign) => !HOMES[foreign]?.includes(name))).toEqual([])
  })
})

it('finds imports at all', () => {
  const worker = members.find(({ name }) => name === 'worker')
  const imports = ourNames(importsOf(worker?.folder ?? '').map(({ specifier }) => specifier))
  expect(imports).toEqual(expect.arrayContaining(['policy', 'wechat', 'outbox/engine']))
})

it('keeps the policy free of input, output, clock and chance', () => {
  const policy = join(ROOT, 'packages/policy')
  const specifiers = importsOf(policy).map(({ specifier }) => specifier)
  expect(specifiers.filter((specifier) => specifier.startsWith('node:'))).toEqual([])
  const sources = globSync('src/**/*.ts', { cwd: policy }).map((file) => readFileSync(join(policy, file), 'utf8'))
  expect(sources.join('\n')).not.toMatch(/\b(Date\.now|new Date\(\)|Math\.random|process\.env|setTimeout)\b/)
})

it('names one version of Node everywhere', () => {
  const workspace = parse(readFileSync(join(ROOT, 'pnpm-workspace.yaml'), 'utf8')) as {
    nodeVersion: string
    catalog: Record<string, string>
  }
  const pinned = workspace.catalog['node'] ?? ''
  expect(workspace.nodeVersion).toBe(pinned)
  expect(process.versions.node).toBe(pinned)
  const images = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^FROM node:(\d+)/gm)
  expect([...images].map(([, major]) => major)).toEqual([pinned.split('.')[0], pinned.split('.')[0]])
})
