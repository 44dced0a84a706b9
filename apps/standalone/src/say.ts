/** What a person reads: on stdout what was asked for, on stderr the rest. Error texts come from elsewhere, and a terminal obeys. */
import { printableLines } from '@wechat-outbox/runtime/printable'

export const say = (text = ''): void => void process.stdout.write(`${printableLines(text)}\n`)
export const complain = (text: string): void => void process.stderr.write(`${printableLines(text)}\n`)
