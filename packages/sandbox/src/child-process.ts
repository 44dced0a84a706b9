// Real processes for tests and benches: started, listened to, paused, killed – and never left behind. A child
// holds a pipe from us as stdin and leaves when it ends (exit-with-stdin.ts), so it goes even when we are killed
// with -9. Only a stopped process cannot leave by itself: as long as it is stopped, a small shell waits at such a
// pipe in its place.
import { type ChildProcess, spawn } from 'node:child_process'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { type CollectedOutput, collectLines } from './collect-lines.ts'

export type StartProcessOptions = {
  /** Default: this Node, with the preload that ends it with us. Any other program must end at the end of stdin. */
  command?: string
  args: readonly string[]
  /** Laid over our own environment; undefined removes a variable. */
  env?: Record<string, string | undefined>
  cwd?: string
  /** A file descriptor that becomes its stdout, instead of a pipe whose lines are collected here. */
  stdout?: number
  /** How error messages call it. Default: the file's name. */
  name?: string
}

export type ProcessEnd = { code: number | null; signal: NodeJS.Signals | null }

export type StartedProcess = {
  pid: number
  /** What it has written so far, at most the latest 1 MiB each. */
  stdout: () => string
  stderr: () => string
  /**
   * Resolves with the match of the first line, of stdout or stderr, earlier ones included. Rejects when the process
   * ends without it or after `timeoutMs` (default 15 s), with the end of what it wrote.
   */
  waitForLine: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpMatchArray>
  /** Never rejects. Resolves after the last output has been collected. */
  exited: Promise<ProcessEnd>
  /** Sends the signal (default SIGTERM), after `timeoutMs` (default 15 s) SIGKILL, and waits for the end. */
  stop: (signal?: NodeJS.Signals, timeoutMs?: number) => Promise<ProcessEnd>
  kill9: () => Promise<ProcessEnd>
  /** SIGSTOP: the process stands still, its connections stay open. */
  stopSignal: () => void
  /** SIGCONT: it goes on. */
  cont: () => void
}

const PRELOAD = pathToFileURL(`${import.meta.dirname}/exit-with-stdin.ts`).href
const OUTPUT_WAIT_MS = 2000
const WATCH_STOPPED = 'read -r _; kill -9 "$1"'

/** Starts a process; throws if the program cannot be started at all. */
export const startProcess = (options: StartProcessOptions): StartedProcess => {
  const command = options.command ?? process.execPath
  const preload = options.command === undefined ? ['--import', PRELOAD] : []
  const child = spawn(command, [...preload, ...options.args], {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const name = options.name ?? basename(options.args[0] ?? command)
  child.on('error', () => undefined)
  child.stdin?.on('error', () => undefined)
  const { pid } = child
  if (pid === undefined) throw new Error(`${name} could not be started: is ${command} there?`)
  const stdout = collectLines(child.stdout ?? Readable.from([]))
  const stderr = collectLines(child.stderr ?? Readable.from([]))
  const exited = endOf(child)
  const outputs = { stdout, stderr, exited, name }
  return {
    pid,
    stdout: stdout.text,
    stderr: stderr.text,
    exited,
    waitForLine: (pattern, timeoutMs = 15_000) => waitForLine(outputs, pattern, timeoutMs),
    ...signalsFor(child, exited),
  }
}

/** The end of the process and of its output; the latter is not waited for long, a grandchild may hold it open. */
const endOf = (child: ChildProcess): Promise<ProcessEnd> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const timer = setTimeout(() => resolve({ code, signal }), OUTPUT_WAIT_MS)
      child.once('close', () => {
        clearTimeout(timer)
        resolve({ code, signal })
      })
    })
  })

const signalsFor = (
  child: ChildProcess,
  exited: Promise<ProcessEnd>,
): Pick<StartedProcess, 'stop' | 'kill9' | 'stopSignal' | 'cont'> => {
  let watcher: ChildProcess | undefined
  const unwatch = (): void => {
    watcher?.kill('SIGKILL')
    watcher = undefined
  }
  // Before the pid is anybody else's.
  child.once('exit', unwatch)
  const stop = async (signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 15_000): Promise<ProcessEnd> => {
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    const end = await exited
    clearTimeout(timer)
    return end
  }
  return {
    stop,
    kill9: () => stop('SIGKILL'),
    stopSignal: () => {
      unwatch()
      if (child.exitCode !== null || child.signalCode !== null) return
      watcher = spawn('/bin/sh', ['-c', WATCH_STOPPED, 'sh', String(child.pid)], {
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      watcher.on('error', () => undefined)
      child.kill('SIGSTOP')
    },
    cont: () => {
      child.kill('SIGCONT')
      unwatch()
    },
  }
}

type Outputs = { stdout: CollectedOutput; stderr: CollectedOutput; exited: Promise<ProcessEnd>; name: string }

const waitForLine = (outputs: Outputs, pattern: RegExp, timeoutMs: number): Promise<RegExpMatchArray> =>
  new Promise((resolve, reject) => {
    const unwatch: (() => void)[] = []
    const finish = (settle: () => void): void => {
      clearTimeout(timer)
      for (const stop of unwatch) stop()
      settle()
    }
    const fail = (what: string): void => {
      const tail = `stdout: ${outputs.stdout.text().slice(-2000)}\nstderr: ${outputs.stderr.text().slice(-2000)}`
      finish(() => reject(new Error(`${outputs.name} ${what} without a line like ${String(pattern)}\n${tail}`)))
    }
    const timer = setTimeout(() => fail(`ran for ${timeoutMs} ms`), timeoutMs)
    const look = (line: string): void => {
      const match = line.match(pattern)
      if (match !== null) finish(() => resolve(match))
    }
    unwatch.push(outputs.stdout.watch(look), outputs.stderr.watch(look))
    void outputs.exited.then(({ code, signal }) => fail(`ended (${signal ?? `exit code ${code}`})`))
  })
