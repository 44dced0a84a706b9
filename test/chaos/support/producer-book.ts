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
