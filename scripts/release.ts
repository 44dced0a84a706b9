/**
 * `pnpm release [patch|minor|major|VERSION]` gives every package its next version, the changelog its section, and packs the published
 * packages into `.data/release/VERSION`. `pnpm release --publish` packs what stands here and publishes it, with npm's statement of where
 * it was built. With `--dry-run` neither writes a file nor publishes. `docs/releasing.md` says when which.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { type Packed, PUBLISHED, packAll } from './pack.ts'
import {
  nextVersion,
  provenanceProblem,
  ReleaseError,
  releaseChangelog,
  sectionOf,
  withVersion,
} from './release-plan.ts'
import { ROOT, run } from './run.ts'

const USAGE = 'usage: pnpm release [patch|minor|major|VERSION] [--dry-run] | --publish [--dry-run] [--no-provenance]'
const CHANGELOG = 'CHANGELOG.md'
const manifests = globSync('{packages,apps}/*/package.json', { cwd: ROOT })
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** That of the first published package: all have the same. @throws ReleaseError where one has not */
function currentVersion(): string {
  const versions = manifests.map((path) => [path, (JSON.parse(read(path)) as { version: string }).version] as const)
  const current = versions.find(([path]) => path.startsWith(`packages/${PUBLISHED[0]}/`))?.[1] ?? ''
  const other = versions.find(([, version]) => version !== current)
  if (other !== undefined) throw new ReleaseError(`${other[0]} has version ${other[1]}, the others have ${current}`)
  return current
}

async function packInto(version: string): Promise<Packed[]> {
  const folder = join(ROOT, '.data/release', version)
  await rm(folder, { recursive: true, force: true })
  const packed = await packAll(folder)
  for (const { tarball } of packed) say(`packed  ${relative(ROOT, tarball)}`)
  return packed
}

async function prepare(wanted: string | undefined, isDry: boolean): Promise<void> {
  const current = currentVersion()
  const version = nextVersion(current, wanted, read(CHANGELOG))
  const changelog = releaseChangelog(read(CHANGELOG), version, new Date().toISOString().slice(0, 10))
  say(`version ${version}${version === current ? '' : `, now ${current}`}`)
  say(
    `changes ${
      sectionOf(changelog, version)
        ?.split('\n')
        .filter((line) => line.startsWith('- ')).length
    } in ${CHANGELOG}`,
  )
  if (isDry) {
    await packInto(current)
    say('dry run: no file was changed, and the tarballs have the version that stands here')
    return
  }
  const before = [...manifests, CHANGELOG].map((path) => [path, read(path)] as const)
  for (const [path, text] of before) {
    writeFileSync(join(ROOT, path), path === CHANGELOG ? changelog : withVersion(text, version))
  }
  try {
    await packInto(version)
  } catch (error) {
    for (const [path, text] of before) writeFileSync(join(ROOT, path), text)
    throw error
  }
  say(`next    git commit -am "chore: release ${version}" && git tag v${version} && git push --follow-tags`)
}

async function publish(isDry: boolean, hasProvenance: boolean): Promise<void> {
  const version = currentVersion()
  if (!sectionOf(read(CHANGELOG), version))
    throw new ReleaseError(`${CHANGELOG} has no section ${version}: release it first`)
  const published = PUBLISHED.map((name) => `packages/${name}/package.json`)
  const problems = hasProvenance ? published.flatMap((path) => provenanceProblem(path, read(path)) ?? []) : []
  if (problems.length > 0) throw new ReleaseError(problems.join('\n'))
  // Those that others depend on come first.
  for (const { tarball } of await packInto(version)) {
    const command = ['npm', 'publish', tarball, '--access', 'public', ...(hasProvenance ? ['--provenance'] : [])]
    if (isDry) {
      say(`dry run: ${command.join(' ').replace(`${ROOT}/`, '')}`)
      continue
    }
    const { ok, output } = await run(command)
    if (!ok) throw new ReleaseError(`${relative(ROOT, tarball)} was not published:\n${output}`)
    say(`published ${relative(ROOT, tarball)}`)
  }
}

function readArguments() {
  try {
    const options = {
      'dry-run': { type: 'boolean' },
      publish: { type: 'boolean' },
      'no-provenance': { type: 'boolean' },
    } as const
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    if (positionals.length > 1 || (values.publish && positionals.length > 0)) throw new TypeError('too many arguments')
    return { values, wanted: positionals[0] }
  } catch (error) {
    throw new ReleaseError(`${(error as Error).message}\n${USAGE}`)
  }
}

try {
  const { values, wanted } = readArguments()
  const isDry = values['dry-run'] ?? false
  await (values.publish ? publish(isDry, !values['no-provenance']) : prepare(wanted, isDry))
} catch (error) {
  if (!(error instanceof ReleaseError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
