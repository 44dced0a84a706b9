/**
 * Ids that say what they name. A message is `m-…`, a dead letter `d-…`, a task `r-…`. BullMQ treats integers, `:` and the names of
 * its own keys specially, so every id starts with a letter and a dash and holds nothing but letters, digits and dashes.
 *
 * A dead letter's id derives from its message's, and a replay's from its dead letter's: doing either of them twice meets
 * the id of the first time, and that is what makes both repeatable after a crash.
 *
 *   m-4fZ…  dies as  d-4fZ…  is replayed as  m-4fZ…-1  dies as  d-4fZ…-1  is replayed as  m-4fZ…-2
 *
 * An id begins with its time, so that what one process accepts in one millisecond has an order: Redis's clock, which gives the
 * time of acceptance, has none finer. Earlier versions drew 20 random characters.
 */
import { customAlphabet } from 'nanoid'

/** In the order of their bytes, which is the order in which Redis sorts. */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Milliseconds up to the year 2081. */
const TIME_CHARS = 7
/** Ids of one process in one millisecond. */
const COUNT_CHARS = 3
const COUNT_MAX = ALPHABET.length ** COUNT_CHARS - 1
/** 65 bits, drawn at random: ids never meet and cannot be guessed. */
const randomPart = customAlphabet(ALPHABET, 11)

const messageId = /^m-[0-9A-Za-z][0-9A-Za-z-]{0,63}$/
const deadLetterId = /^d-[0-9A-Za-z][0-9A-Za-z-]{0,63}$/
const taskId = /^r-[0-9A-Za-z]{1,64}$/

/** Stem of 21 characters, which no earlier version made; then the part of a long text, and the count of replays. */
const timedId = /^[md]-([0-9A-Za-z]{10})[0-9A-Za-z]{11}(?:p\d{1,3})?(?:-\d{1,9})?$/

let last = { ms: 0, count: 0 }

/** A new message id, greater than every one that this process has made before, also when its clock is set back. */
export function newMessageId(): string {
  const ms = Date.now()
  if (ms > last.ms) last = { ms, count: 0 }
  else if (last.count < COUNT_MAX) last = { ms: last.ms, count: last.count + 1 }
  else last = { ms: last.ms + 1, count: 0 }
  return `m-${digits(last.ms, TIME_CHARS)}${digits(last.count, COUNT_CHARS)}${randomPart()}`
}

function digits(value: number, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / ALPHABET.length)) {
    text = (ALPHABET[rest % ALPHABET.length] ?? '') + text
  }
  return text
}

/**
 * When an id of a message or a dead letter was made, in epoch milliseconds of its producer's clock, and its place within that
 * millisecond: text that sorts. Derived ids have those of the message that they derive from. Undefined for ids without a time.
 */
export function idTimeOf(id: string): { readonly ms: number; readonly place: string } | undefined {
  const [, place] = timedId.exec(id) ?? []
  if (place === undefined) return undefined
  let ms = 0
  for (const char of place.slice(0, TIME_CHARS)) ms = ms * ALPHABET.length + ALPHABET.indexOf(char)
  return { ms, place }
}

/** A new id of a task. Ids of tasks sort by the time at which they were made. */
export function newTaskId(): string {
  return `r-${newMessageId().slice(2)}`
}

export function isTaskId(id: string): boolean {
  return taskId.test(id)
}

export function isMessageId(id: string): boolean {
  return messageId.test(id)
}

export function isDeadLetterId(id: string): boolean {
  return deadLetterId.test(id)
}

/**
 * The id of the dead letter that a message becomes. A job that somebody added by hand may have any id: it keeps it,
 * behind the prefix, so that even such a job is moved once and only once.
 */
export function deadLetterIdOf(message: string): string {
  return message.startsWith('m-') ? `d-${message.slice(2)}` : `d-${message}`
}

/** The id of the message that a dead letter is replayed as. */
export function replayIdOf(deadLetter: string): string {
  const [, stem = deadLetter, count = '0'] = /^d-(.*?)(?:-(\d{1,9}))?$/s.exec(deadLetter) ?? []
  return `m-${stem}-${Number(count) + 1}`
}

/** The dead letter that a message with this id would be the replay of; undefined when the id is no replay's. */
export function replayOriginOf(message: string): string | undefined {
  const [, stem, count = '0'] = /^m-(.+?)-(\d{1,9})$/s.exec(message) ?? []
  if (stem === undefined || Number(count) < 1) return undefined
  const deadLetter = Number(count) === 1 ? `d-${stem}` : `d-${stem}-${Number(count) - 1}`
  return replayIdOf(deadLetter) === message ? deadLetter : undefined
}
