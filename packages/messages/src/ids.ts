/**
 * Ids that say what they name. A message is `m-…`, a dead letter `d-…`. BullMQ treats integers, `:` and the names of
 * its own keys specially, so every id starts with a letter and a dash and holds nothing but letters, digits and dashes.
 *
 * A dead letter's id derives from its message's, and a replay's from its dead letter's: doing either of them twice meets
 * the id of the first time, and that is what makes both repeatable after a crash.
 *
 *   m-4fZ…  dies as  d-4fZ…  is replayed as  m-4fZ…-1  dies as  d-4fZ…-1  is replayed as  m-4fZ…-2
 */
import { customAlphabet } from 'nanoid'

/** 20 characters of 62: 119 bits, so that ids never meet and cannot be guessed. */
const randomPart = customAlphabet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', 20)

const messageId = /^m-[0-9A-Za-z][0-9A-Za-z-]{0,63}$/
const deadLetterId = /^d-[0-9A-Za-z][0-9A-Za-z-]{0,63}$/

/** A new, random message id. */
export function newMessageId(): string {
  return `m-${randomPart()}`
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
