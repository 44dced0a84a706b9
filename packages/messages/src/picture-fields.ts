/** A picture in a message: by the media id of an upload, or by its URL in the place of one. */

/** What a picture's server does not get is refused rather than left out. */
export function hasNoExtras(value: string): boolean {
  if (!URL.canParse(value)) return true
  const { username, password, hash } = new URL(value)
  return username + password + hash === ''
}

/** Of two keys, one of which says the same as the other in another way. */
export const exactlyOne = <A extends string, B extends string>(a: A, b: B) =>
  [
    (value: { readonly [Key in A | B]?: unknown }) => (value[a] === undefined) !== (value[b] === undefined),
    { path: [a] as PropertyKey[], error: `must be given, or ${b} in its place, and not both` },
  ] as const

/** The same for documents. */
export const eitherOf = (a: string, b: string) => ({
  oneOf: [
    { required: [a], properties: { [b]: { type: 'null' } } },
    { required: [b], properties: { [a]: { type: 'null' } } },
  ],
})

export const PICTURE_URL =
  'In place of the media id: the worker fetches the picture (PNG, JPEG or GIF) when the message is to be sent, uploads it and keeps the id'
