/** What is sent: short texts as a shop writes them, to recipients who come back in different patterns. */

/** How the messages of one recipient lie among those of others. */
export type Shape =
  /** Everybody gets one. */
  | { readonly kind: 'distinct' }
  /** Each gets so many in a row. */
  | { readonly kind: 'bursts'; readonly length: number }
  /** So many recipients in turn, again and again. */
  | { readonly kind: 'interleaved'; readonly recipients: number }
  | { readonly kind: 'one'; readonly touser: string }

export interface TextMessage {
  readonly touser: string
  readonly msgtype: 'text'
  readonly text: { readonly content: string }
}

/** As long as a real openid: 28 characters. */
export const openid = (number: number): string => `oBENCH${String(number).padStart(22, '0')}`

function recipientOf(shape: Shape, index: number): string {
  switch (shape.kind) {
    case 'distinct':
      return openid(index)
    case 'bursts':
      return openid(Math.floor(index / shape.length))
    case 'interleaved':
      return openid(index % shape.recipients)
    case 'one':
      return shape.touser
  }
}

/** The message's number stands at its end, where the far side reads it: numbers rise in the order of sending. */
export function messageAt(shape: Shape, index: number): TextMessage {
  return {
    touser: recipientOf(shape, index),
    msgtype: 'text',
    text: { content: `您好,您的订单已发货,请注意查收 #${index}` },
  }
}

export function* messagesIn(
  shape: Shape,
  range: { from: number; count: number },
  size: number,
): Generator<TextMessage[]> {
  const end = range.from + range.count
  for (let from = range.from; from < end; from += size) {
    yield Array.from({ length: Math.min(size, end - from) }, (_, at) => messageAt(shape, from + at))
  }
}
