/** What a release changes: the version of every package, and the changelog. Texts in, texts out. */
import { gt, inc, valid } from 'semver'

const STEPS = ['patch', 'minor', 'major'] as const
const UNRELEASED = '## [Unreleased]'

/** A mistake of whoever releases, in words for them. */
export class ReleaseError extends Error {
  override readonly name = 'ReleaseError'
}

/**
 * @param wanted `patch`, `minor`, `major` or a version; by default the current one as long as the changelog has not got it, else `patch`
 * @throws ReleaseError for what is no version, or none after the current one
 */
export function nextVersion(current: string, wanted: string | undefined, changelog: string): string {
  const isReleased = sectionOf(changelog, current) !== undefined
  if (wanted === undefined && !isReleased) return current
  const step = STEPS.find((one) => one === (wanted ?? 'patch'))
  const version = step === undefined ? valid(wanted) : inc(current, step)
  if (version === null) throw new ReleaseError(`${wanted} is neither a version nor one of ${STEPS.join(', ')}`)
  if (gt(version, current) || (version === current && !isReleased)) return version
  throw new ReleaseError(`${version} is not after ${current}, which is the version here`)
}

/** The section of a version, without its heading; undefined if there is none. */
export function sectionOf(changelog: string, version: string): string | undefined {
  const [, after] = changelog.split(new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\].*$`, 'm'))
  return after?.split(/^## \[/m)[0]?.trim()
}

/** The changelog with what is unreleased under the version and its date. @throws ReleaseError when that is nothing */
export function releaseChangelog(changelog: string, version: string, date: string): string {
  if (!sectionOf(changelog, 'Unreleased')) throw new ReleaseError(`CHANGELOG.md has nothing under ${UNRELEASED}`)
  return changelog.replace(UNRELEASED, `${UNRELEASED}\n\n## [${version}] - ${date}`)
}

/** A manifest with another version. Nothing else of it changes, its form included. */
export function withVersion(manifest: string, version: string): string {
  return manifest.replace(/^( {2}"version": ")[^"]+"/m, `$1${version}"`)
}

/** What npm needs of a manifest to say where a package was built. @returns what is wrong, by its path */
export function provenanceProblem(path: string, manifest: string): string | undefined {
  const { repository } = JSON.parse(manifest) as { repository?: { url?: unknown } }
  if (typeof repository?.url === 'string') return undefined
  return `${path} has no repository.url, which npm compares with where the package was built`
}
