// `npx pnpm start` puts several processes between a person and the program. When one of them is killed with -9,
// no signal reaches the program: it would stay behind, unseen, with its ports and its Redis. A process whose
// parent dies gets another parent, so the program looks now and then whether its ancestors are still the same.
import { basename } from 'node:path'
import { type ProcessEntry, processEntry } from './process-table.ts'

export type EndWithParentOptions = {
  /** How often to look. Default 500. */
  intervalMs?: number
  /** With no launcher above, watch the direct parent instead. Default false: a shell may go and leave its jobs. */
  watchParent?: boolean
}

/** A process and the parent it must keep. */
type Link = { pid: number; ppid: number }

const LAUNCHERS = new Set(['npx', 'npx-cli', 'npm', 'npm-cli', 'pnpm', 'pnpx', 'pn', 'yarn', 'yarnpkg', 'corepack'])
const NPM = new Set(['npx', 'npx-cli', 'npm', 'npm-cli'])
const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'fish', 'busybox'])
// Options of node that take the next argument as their value, which therefore is not the script.
const VALUE_OPTIONS = new Set(['--import', '--require', '-r', '--loader', '--conditions', '-C'])
const ANCESTORS_MAX = 64

/** The bare name of a program: without folder, login dash, version or script extension. */
const programName = (arg: string | undefined): string =>
  basename(arg ?? '')
    .replace(/^-/, '')
    .replace(/\.(c|m)?js$|\.exe$/i, '')
    .replace(/[-@]?v?\d+(\.\d+)*$/, '')

/** Whether an ancestor starts programs for others, stands between such ones, or is neither. */
export const classifyAncestor = (args: readonly string[]): 'launcher' | 'between' | 'other' => {
  const name = programName(args[0])
  if (LAUNCHERS.has(name)) return 'launcher'
  if (name !== 'node') return SHELLS.has(name) ? 'between' : 'other'
  const script = args.find((arg, at) => at > 0 && !arg.startsWith('-') && !VALUE_OPTIONS.has(args[at - 1] ?? ''))
  return LAUNCHERS.has(programName(script)) ? 'launcher' : 'between'
}

/**
 * npx lets what it runs know where that is kept. If no npm is above us all the same, it was killed before we could look, while
 * pnpm was still installing perhaps: pnpm does not notice. Said only of a chain that was seen up to its top.
 */
const isNpxGone = (above: readonly ProcessEntry[]): boolean => {
  if (!/[/\\]_npx[/\\]/.test(process.env.npm_execpath ?? '') || above.at(-1)?.ppid !== 0) return false
  return !above.some(({ args }) => args.some((arg) => NPM.has(programName(arg))))
}

const ancestors = async (): Promise<ProcessEntry[]> => {
  const found: ProcessEntry[] = []
  let pid = process.ppid
  while (pid > 0 && found.length < ANCESTORS_MAX) {
    const entry = await processEntry(pid)
    if (entry === null) break
    found.push(entry)
    pid = entry.ppid
  }
  return found
}

/**
 * The links from us up to the topmost launcher. The launcher's own parent is not among them: a person may close
 * the shell and leave the launcher running.
 */
const recordChain = (above: readonly ProcessEntry[], watchParent: boolean): Link[] => {
  const end = above.findIndex((entry) => classifyAncestor(entry.args) === 'other')
  const ours = end < 0 ? above : above.slice(0, end)
  const top = ours.findLastIndex((entry) => classifyAncestor(entry.args) === 'launcher')
  const self = { pid: process.pid, ppid: process.ppid }
  if (top >= 0) return [self, ...ours.slice(0, top).map(({ pid, ppid }) => ({ pid, ppid }))]
  return watchParent && above.length > 0 ? [self] : []
}

const isIntact = async (links: readonly Link[]): Promise<boolean> => {
  for (const { pid, ppid } of links) {
    const now = pid === process.pid ? process.ppid : (await processEntry(pid))?.ppid
    if (now !== ppid) return false
  }
  return true
}

/**
 * Calls `onEnd` once when a launcher above this process (npx, npm, pnpm, yarn, and shells or `node` between them)
 * has died. Watching keeps nobody alive.
 * @returns a function that stops the watching; `watched` says how many links are looked at, 0 if nothing is.
 */
export const endWithParent = async (
  onEnd: () => void,
  { intervalMs = 500, watchParent = false }: EndWithParentOptions = {},
): Promise<{ watched: number; stop: () => void }> => {
  const above = await ancestors()
  const links = recordChain(above, watchParent)
  let stopped = links.length === 0
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    const intact = await isIntact(links)
    if (stopped) return
    if (intact) return schedule()
    stopped = true
    onEnd()
  }
  // One look after the other: `ps` may take longer than the interval.
  const schedule = (): void => {
    timer = setTimeout(() => void look(), intervalMs).unref()
  }
  if (isNpxGone(above)) {
    stopped = true
    onEnd()
  }
  if (!stopped) schedule()
  const stop = (): void => {
    stopped = true
    clearTimeout(timer)
  }
  return { watched: links.length, stop }
}
