// What a release makes of the texts that it changes. Packing itself is tried by `pnpm check` and by `packed.long.test.ts`.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nextVersion, provenanceProblem, releaseChangelog, sectionOf, withVersion } from '../scripts/release-plan.ts'
import { ROOT } from '../scripts/run.ts'

const changelogOf = (unreleased: string, rest = ''): string => `# Changelog\n\n## [Unreleased]\n${unreleased}${rest}`
const CHANGES = '\n### Added\n\n- one\n'
const OLD = '\n## [0.2.0] - 2026-01-02\n\n- old\n'

describe('the next version', () => {
  it.each([
    [undefined, '', '0.2.0'],
    [undefined, OLD, '0.2.1'],
    ['patch', OLD, '0.2.1'],
    ['minor', OLD, '0.3.0'],
    ['major', OLD, '1.0.0'],
    ['0.4.0-rc.1', OLD, '0.4.0-rc.1'],
  ])('is, asked for as %s with %j released, %s', (wanted, released, version) => {
    expect(nextVersion('0.2.0', wanted, changelogOf(CHANGES, released))).toBe(version)
  })

  it.each(['0.2.0', '0.1.9', 'next', '1.2'])('is refused as %s', (wanted) => {
    expect(() => nextVersion('0.2.0', wanted, changelogOf(CHANGES, OLD))).toThrow(
      /is not after 0\.2\.0|neither a version/,
    )
  })
})

describe('the changelog', () => {
  it('gets a section of what was unreleased, and an empty one for what comes', () => {
    const released = releaseChangelog(changelogOf(CHANGES, OLD), '0.3.0', '2026-02-03')
    expect(released).toContain('## [Unreleased]\n\n## [0.3.0] - 2026-02-03\n\n### Added\n\n- one\n')
    expect([sectionOf(released, '0.3.0'), sectionOf(released, '0.2.0')]).toEqual(['### Added\n\n- one', '- old'])
    expect([sectionOf(released, 'Unreleased'), sectionOf(released, '0.2')]).toEqual(['', undefined])
  })

  it('is not released when nothing is unreleased', () => {
    expect(() => releaseChangelog(changelogOf('', OLD), '0.3.0', '2026-02-03')).toThrow('nothing under ## [Unreleased]')
  })
})

it('changes nothing of a manifest but its version', () => {
  for (const path of globSync('{packages,apps}/*/package.json', { cwd: ROOT })) {
    const manifest = readFileSync(join(ROOT, path), 'utf8')
    const changed = withVersion(manifest, '9.8.7')
    expect(JSON.parse(changed)).toEqual({ ...(JSON.parse(manifest) as object), version: '9.8.7' })
  }
})

it('asks for what npm compares a build with', () => {
  expect(provenanceProblem('a/package.json', '{}')).toMatch(/^a\/package\.json has no repository\.url/)
  expect(provenanceProblem('a', '{ "repository": { "url": "git+https://example.com/a.git" } }')).toBeUndefined()
})
