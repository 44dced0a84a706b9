/**
 * Passwords and keys that people think up, judged by how many guesses they stand: right credentials always pass, however many wrong ones came
 * before, so nothing but their strength keeps a guesser out.
 */
import { createRequire } from 'node:module'
import type * as core from '@zxcvbn-ts/core'
import type * as common from '@zxcvbn-ts/language-common'

/** At 1000 guesses in a second, four months. */
const GUESSES_LOG10_MIN = 10
/** What is judged at most: the time grows with the length, and nothing as long is weak unless its beginning is. */
const CHARS_JUDGED_MAX = 64

let judge: core.ZxcvbnFactory | undefined

/** `known`: words that a guesser would begin with. Loads some megabytes of common passwords, and is called where others reach the gateway. */
export function isWeakSecret(secret: string, known: readonly string[] = []): boolean {
  judge ??= load()
  return judge.check(secret.slice(0, CHARS_JUDGED_MAX), [...known, 'wechat', 'outbox']).guessesLog10 < GUESSES_LOG10_MIN
}

function load(): core.ZxcvbnFactory {
  const require = createRequire(import.meta.url)
  const { ZxcvbnFactory } = require('@zxcvbn-ts/core') as typeof core
  const { adjacencyGraphs: graphs, dictionary } = require('@zxcvbn-ts/language-common') as typeof common
  return new ZxcvbnFactory({ graphs, dictionary })
}
