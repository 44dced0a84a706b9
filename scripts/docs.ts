/** Writes the generated pages of `docs/`, or with `--check` only tells which of them are out of date (exit 1). */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { DOCUMENT_URL, errcodesDocument } from '../packages/policy/scripts/errcodes-doc.ts'
import { CONFIGURATION_URL, configurationDocument } from './configuration-doc.ts'

const PAGES = [
  { url: CONFIGURATION_URL, text: configurationDocument() },
  { url: DOCUMENT_URL, text: errcodesDocument() },
]

for (const { url, text } of PAGES) {
  if (!process.argv.includes('--check')) writeFileSync(url, text)
  else if (readOrEmpty(url) !== text) {
    process.stdout.write(`docs/${basename(url.pathname)} is out of date: run \`pnpm run docs\`\n`)
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
