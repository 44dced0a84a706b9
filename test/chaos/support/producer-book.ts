/**
 * What a producer wrote down: a line before each call and one after each answer, appended so that kill -9 loses none.
 * The place of a line in its file is its time: "acknowledged before called" is a comparison of two line numbers.
 */
export type BookLine =
  | { readonly kind: 'calling'; readonly key: string }
  | { readonly kind: 'acked'; readonly key: string; readonly id: string; readonly duplicate: boolean }
  | { readonly kind: 'rejected'; readonly key: string; readonly code: string }
  | { readonly kind: 'cancel'; readonly key: string; readonly result: string }

export function formatLine(line: BookLine): string {
  switch (line.kind) {
    case 'calling':
      return `calling ${line.key}\n`
    case 'acked':
      return `acked ${line.key} ${line.id} ${line.duplicate ? 'again' : 'new'}\n`
    case 'rejected':
      return `rejected ${line.key} ${line.code}\n`
    case 'cancel':
      return `cancel ${line.key} ${line.result}\n`
  }
}

export function parseBook(text: string): BookLine[] {
  return text.split('\n').flatMap((line): BookLine[] => {
    const [kind, key = '', third = '', fourth] = line.split(' ')
    switch (kind) {
      case 'calling':
        return [{ kind, key }]
      case 'acked':
        return [{ kind, key, id: third, duplicate: fourth === 'again' }]
      case 'rejected':
        return [{ kind, key, code: third }]
      case 'cancel':
        return [{ kind, key, result: third }]
      default:
        return []
    }
  })
}

/** Line numbers in a producer's book: the first call and the first acknowledgement of each key, and how often it was called. */
export function readTimes(producers: readonly (readonly BookLine[])[]) {
  const firstCall = new Map<string, number>()
  const firstAck = new Map<string, number>()
  const calls = new Map<string, number>()
  for (const lines of producers) {
    for (const [number, line] of lines.entries()) {
      if (line.kind === 'calling') {
        calls.set(line.key, (calls.get(line.key) ?? 0) + 1)
        if (!firstCall.has(line.key)) firstCall.set(line.key, number)
      } else if (line.kind === 'acked' && !firstAck.has(line.key)) firstAck.set(line.key, number)
    }
  }
  return { firstCall, firstAck, calls }
}
