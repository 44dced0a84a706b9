// Redis's bytes, cut where one reply ends and the next begins. Nothing is decoded or held back: of a long value each
// chunk goes on as it comes, and all that is kept is how much of the reply is still missing.
export type ReplyPart = {
  bytes: Buffer
  /** The first byte of the whole reply: `+`, `-`, `$`, `*`, `>` for a push that answers nothing, … */
  type: string
  /** Whether the reply ends with these bytes. */
  isEnd: boolean
}

export type ReplyScanner = {
  /** The parts of a chunk, in order; together they are the chunk. */
  scan: (chunk: Buffer) => ReplyPart[]
}

const LINE_FEED = 10

export const createReplyScanner = (): ReplyScanner => {
  let type = ''
  /** Values that are missing in the reply, those inside arrays and maps included. */
  let valuesLeft = 1
  /** Bytes that are missing in the string that is being passed. */
  let stringLeft = 0
  let header = ''

  const readHeader = (): void => {
    const kind = header[0] ?? ''
    if (type === '') type = kind
    valuesLeft -= 1
    if ('$=!'.includes(kind)) {
      const length = lengthOf(header)
      // A null has no content, and no line end after it.
      stringLeft = length < 0 ? 0 : length + 2
    } else if ('*~>'.includes(kind)) valuesLeft += Math.max(0, lengthOf(header))
    else if (kind === '%') valuesLeft += 2 * lengthOf(header)
    // Attributes stand before a value and are none.
    else if (kind === '|') valuesLeft += 2 * lengthOf(header) + 1
    header = ''
  }
  return {
    scan: (chunk) => {
      const parts: ReplyPart[] = []
      let start = 0
      for (let at = 0; at < chunk.length; ) {
        if (stringLeft > 0) {
          const step = Math.min(stringLeft, chunk.length - at)
          stringLeft -= step
          at += step
        } else {
          const lineEnd = chunk.indexOf(LINE_FEED, at)
          const end = lineEnd < 0 ? chunk.length : lineEnd + 1
          header += chunk.toString('latin1', at, end)
          at = end
          if (lineEnd < 0) break
          readHeader()
        }
        if (valuesLeft > 0 || stringLeft > 0) continue
        parts.push({ bytes: chunk.subarray(start, at), type, isEnd: true })
        start = at
        type = ''
        valuesLeft = 1
      }
      const known = type === '' ? header.slice(0, 1) : type
      if (start < chunk.length) parts.push({ bytes: chunk.subarray(start), type: known, isEnd: false })
      return parts
    },
  }
}

const lengthOf = (header: string): number => {
  const length = Number(header.slice(1))
  if (!Number.isSafeInteger(length)) throw new Error(`no reply of Redis begins with ${JSON.stringify(header)}`)
  return length
}
