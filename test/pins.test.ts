// What runs without anybody looking – the checks, the image – is pinned, and renovate.json renews it.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../scripts/run.ts'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const workflows = globSync('.github/workflows/*.yml', { cwd: ROOT })
const unattended = ['.ci/run', 'Dockerfile', ...workflows]

it('pins every action to a commit, with its version beside it', () => {
  const uses = workflows.flatMap((file) => [...read(file).matchAll(/uses: (.*)/g)].map(([, action = '']) => action))
  expect(uses.length).toBeGreaterThan(0)
  for (const action of uses) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
})

it('runs one exact pnpm where nobody chooses', () => {
  const versions = unattended.flatMap((file) =>
    [...read(file).matchAll(/pnpm@([\w.]+)/g)].map(([, version]) => version),
  )
  expect(versions.length).toBeGreaterThanOrEqual(3)
  expect(new Set(versions).size).toBe(1)
  expect(versions[0]).toMatch(/^12\.\d+\.\d+$/)
})

it('has all of it renewed', () => {
  interface Renovate {
    readonly extends: readonly string[]
    readonly customManagers: readonly {
      readonly managerFilePatterns: readonly string[]
      readonly matchStrings: readonly string[]
    }[]
  }
  const { extends: presets, customManagers } = JSON.parse(read('renovate.json')) as Renovate
  expect(presets).toEqual(expect.arrayContaining(['helpers:pinGitHubActionDigests', 'docker:pinDigests']))
  const patterns = customManagers.flatMap(({ managerFilePatterns }) => managerFilePatterns)
  const matches = customManagers.flatMap(({ matchStrings }) => matchStrings)
  for (const file of unattended) {
    expect(patterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(file))).toBe(true)
    if (read(file).includes('npx -y')) expect(matches.some((match) => new RegExp(match).test(read(file)))).toBe(true)
  }
})
