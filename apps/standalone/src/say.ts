/** What a person reads: on stdout what was asked for, on stderr the rest. Error texts come from elsewhere, so control characters are made visible. */
import { printableLines } from '@wechat-outbox/runtime/printable'

export const say = (text = ''): void => void process.stdout.write(`${printableLines(text)}\n`)
export const complain = (text: string): void => void process.stderr.write(`${printableLines(text)}\n`)
