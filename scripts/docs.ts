/** Writes the generated pages of `docs/` and the types of the API, or with `--check` only tells which of them are out of date (exit 1). */
import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OPENAPI_TYPES_URL, openApiTypes } from '../apps/gateway/scripts/openapi-types.ts'
import { ERRCODE_PAGES } from '../packages/policy/scripts/errcodes-doc.ts'
import { CONFIGURATION_URL, configurationDocument } from './configuration-doc.ts'
import { ROOT } from './run.ts'

const PAGES = [
  { url: CONFIGURATION_URL, text: configurationDocument() },
  ...ERRCODE_PAGES,
  { url: OPENAPI_TYPES_URL, text: await openApiTypes() },
]

for (const { url, text } of PAGES) {
  if (!process.argv.includes('--check')) writeFileSync(url, text)
  else if (readOrEmpty(url) !== text) {
    process.stdout.write(`${relative(ROOT, fileURLToPath(url))} is out of date: run \`pnpm run docs\`\n`)
    process.exitCode = 1
  }
}

function readOrEmpty(url: URL): string {
  try {
    return readFileSync(url, 'utf8')
  } catch {
    return ''
  }
}
