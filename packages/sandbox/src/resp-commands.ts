// A client's bytes, cut into commands. A proxy that answers some of them itself must know where each begins and ends,
// whatever the chunks they come in: a pipeline in one chunk, or one long value in a thousand.
export type ClientCommand = {
  /** The name in lower case, then the arguments, as text. */
  words: readonly string[]
  /** The command as it came. */
  bytes: Buffer
}

export type CommandReader = {
  /** The commands that this chunk completes. */
  read: (chunk: Buffer) => ClientCommand[]
  /** Whether what came is not RESP: nothing can be read any more. */
  isLost: () => boolean
  /** What came of a command that is not complete, or is none. */
  rest: () => Buffer
}

const LINE_FEED = 10
const ARRAY = '*'.charCodeAt(0)
const BULK = '$'.charCodeAt(0)

type Line = { text: string; next: number }

/** What has come and is not used up. Chunks are joined only once there are enough of them to read on. */
const createHeldBytes = () => {
  let joined: Buffer = Buffer.alloc(0)
  let chunks: Buffer[] = []
  let length = 0
  let needed = 1
  const needs = (bytes: number): null => {
    needed = bytes
    return null
  }
  const join = (): Buffer => {
    if (chunks.length > 0) joined = Buffer.concat([joined, ...chunks])
    chunks = []
    return joined
  }
  return {
    join,
    /** Notes that nothing can be read before there are so many bytes. */
    needs,
    /** Whether there is now enough to read on. */
    add: (chunk: Buffer): boolean => {
      chunks.push(chunk)
      length += chunk.length
      return length >= needed
    },
    take: (bytes: number): Buffer => {
      const taken = joined.subarray(0, bytes)
      joined = joined.subarray(bytes)
      length -= bytes
      return taken
    },
    /** The line that begins there, without its end, and where the next one begins; null when it is not complete. */
    line: (at: number): Line | null => {
      const end = joined.indexOf(LINE_FEED, at)
      if (end < 0) return needs(joined.length + 1)
      return { text: joined.toString('latin1', at, end).replace(/\r$/, ''), next: end + 1 }
    },
  }
}

export const createCommandReader = (): CommandReader => {
  const held = createHeldBytes()
  /** Up to here the command at the beginning of `held` is read, and these words of `wordCount` were in it. */
  let at = 0
  let words: string[] = []
  let wordCount = -1
  let lost = false

  const giveUp = (): null => {
    lost = true
    return null
  }
  const complete = (): ClientCommand => {
    const command = { words: named(words), bytes: held.take(at) }
    at = 0
    words = []
    wordCount = -1
    return command
  }
  /** Whether the word at `at` was there. */
  const readWord = (bytes: Buffer): true | null => {
    if (at === bytes.length) return held.needs(at + 1)
    if (bytes[at] !== BULK) return giveUp()
    const header = held.line(at)
    if (header === null) return null
    const end = header.next + lengthOf(header.text)
    if (Number.isNaN(end)) return giveUp()
    if (bytes.length < end + 2) return held.needs(end + 2)
    words.push(bytes.toString('utf8', header.next, end))
    at = end + 2
    return true
  }
  /** The next command; one without words when a line was empty, which Redis does not answer. */
  const next = (): ClientCommand | null => {
    const bytes = held.join()
    if (wordCount < 0) {
      const header = held.line(0)
      if (header === null) return null
      at = header.next
      if (bytes[0] !== ARRAY) {
        words = header.text.split(/\s+/).filter((word) => word !== '')
        return complete()
      }
      wordCount = lengthOf(header.text)
      if (Number.isNaN(wordCount)) return giveUp()
    }
    while (words.length < wordCount) if (readWord(bytes) === null) return null
    return complete()
  }
  return {
    isLost: () => lost,
    read: (chunk) => {
      if (!held.add(chunk)) return []
      const commands: ClientCommand[] = []
      for (let command = next(); command !== null; command = next()) {
        if (command.words.length > 0) commands.push(command)
      }
      return commands
    },
    rest: () => held.join(),
  }
}

const named = ([name, ...args]: string[]): string[] => (name === undefined ? [] : [name.toLowerCase(), ...args])

const lengthOf = (header: string): number => {
  const length = Number(header.slice(1))
  return Number.isSafeInteger(length) ? Math.max(0, length) : Number.NaN
}
