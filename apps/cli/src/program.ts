/** The command line: its commands, its help, and what a wrong one comes to. */
import { readFileSync } from 'node:fs'
import { printableLines } from '@wechat-outbox/runtime'
import { Command, InvalidArgumentError, Option } from 'commander'
import { addApp } from './commands/app.ts'
import { addCallback } from './commands/callback.ts'
import { addCancel } from './commands/cancel.ts'
import { addDead } from './commands/dead.ts'
import { addDoctor } from './commands/doctor.ts'
import { addForget } from './commands/forget.ts'
import { addKey } from './commands/key.ts'
import { addSend } from './commands/send.ts'
import { addShow } from './commands/show.ts'
import { addStatus } from './commands/status.ts'
import { addTask } from './commands/task.ts'
import { addWindow } from './commands/window.ts'
import type { Terminal } from './confirm.ts'
import { LANGS } from './lang.ts'
import type { Streams } from './output.ts'
import type { Session } from './session.ts'

/** Runs a command with connections that are closed afterwards. What it returns is the exit code; nothing is 0. */
export type Act = (command: (session: Session, terminal: Terminal) => Promise<number | void>) => Promise<void>

const AFTER_HELP = `
Environment: REDIS_URL (required, except by key new), WECHAT_APP_ID, WECHAT_API_BASE_URL, for doctor WECHAT_APP_SECRET or WECHAT_APPS_FILE, IDEMPOTENCY_TTL_HOURS, TEXT_BYTES_MAX, TEXT_SPLIT, for pictures from files WXO_GATEWAY_URL and WXO_API_KEY, LC_ALL, LC_MESSAGES, LANG, NO_COLOR.
Exit codes: 0 done, 1 failed, 2 wrong usage. Times are UTC.`

export function createProgram(act: Act, { stdout, stderr }: Streams): Command {
  const program = new Command('wxo')
    .description("The operator's command line of wechat-outbox")
    .version(readVersion(), '--version', 'print the version')
    .option('--json', 'one JSON document on stdout instead of text')
    .addOption(
      new Option('--lang <lang>', 'in which reasons are explained (default: by LC_ALL, LC_MESSAGES or LANG)').choices(
        LANGS,
      ),
    )
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      // It repeats what it was given.
      writeErr: (text) => stderr.write(printableLines(text)),
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says how)')
    .addHelpText('after', AFTER_HELP)
    .exitOverride()
  addSend(program, act)
  addShow(program, act)
  addCancel(program, act)
  addDead(program, act)
  addTask(program, act)
  addWindow(program, act)
  addForget(program, act)
  addApp(program, act)
  addCallback(program, act)
  addKey(program, act)
  addStatus(program, act)
  addDoctor(program, act)
  refuseRepeats(program)
  return program
}

/** An option that takes one value is refused when it comes twice: the last one would win, and the first was meant as well. */
function refuseRepeats(command: Command): void {
  for (const option of command.options) {
    const takesOne = (option.required || option.optional) && !option.variadic && option.parseArg === undefined
    if (!takesOne) continue
    option.argParser((value, before) => {
      if (before !== undefined && before !== option.defaultValue) throw new InvalidArgumentError('It was given twice.')
      return value
    })
  }
  for (const child of command.commands) refuseRepeats(child)
}

function readVersion(): string {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(file) as { version: string }).version
}
