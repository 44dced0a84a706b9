/**
 * The text of every Lua script, read from `scripts/`. Lua stands in files of its own, where an editor knows the language and
 * each file can say what it takes and returns.
 *
 * A published package has no such files, and a bundler would not carry them: the build evaluates this module and puts its value
 * in its place (`tsdown.config.ts`). So it exports one constant, and reads nothing but the files.
 */
import { readFileSync } from 'node:fs'

const folders = {
  'app-hold': ['hold-fault', 'hold-lift', 'hold-operator', 'hold-prove', 'hold-turn'],
  callbacks: ['callback-replay', 'callback-resume', 'callback-turn'],
  'dead-letters': ['bury-message', 'dead-page', 'discard', 'replay', 'take-retried'],
  erase: ['forget-event', 'forget-job', 'forget-letter', 'forget-person', 'strip'],
  lanes: ['backlog', 'heal', 'mend-lane'],
  media: ['media-claim', 'media-store'],
  producer: ['cancel', 'send'],
  shared: ['delete-if', 'extend-if'],
  tasks: ['take-back', 'task-cancel', 'task-create', 'task-select'],
  tokens: [
    'access-token-issue',
    'access-token-revoke',
    'token-claim',
    'token-fail',
    'token-force',
    'token-prove',
    'token-read',
    'token-store',
    'token-want',
  ],
  windows: ['act'],
  worker: ['admit', 'give-back', 'queue-poll', 'settle', 'trim', 'unmark'],
} as const

export type ScriptName = (typeof folders)[keyof typeof folders][number]

function read(path: string): string {
  return readFileSync(new URL(`../../scripts/${path}.lua`, import.meta.url), 'utf8')
}

/** A script with its parts in place, each of them once: parts may need parts, and two may need the same. */
function assemble(path: string, included = new Set<string>()): string {
  return read(path).replaceAll(/^--- include (\S+)$/gm, (_, part: string) => {
    if (included.has(part)) return ''
    included.add(part)
    return assemble(`include/${part}`, included)
  })
}

/** By name, parts in place. Read once per process. */
export const SCRIPT_TEXTS = Object.fromEntries(
  Object.entries(folders).flatMap(([folder, names]) => names.map((name) => [name, assemble(`${folder}/${name}`)])),
) as Readonly<Record<ScriptName, string>>
