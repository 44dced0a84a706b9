/**
 * What WeChat takes as an image, and the form in which it takes one. WeChat tells the kind of a file by the name that it has in
 * the form: without a name it says 41005, and with another extension than the file's kind 40113. So the bytes say what a
 * picture is, and the name follows them. Whether WeChat takes its dimensions is not judged here.
 *
 * https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/kf-mgnt/kf-message/uploadTempMedia.html
 */
import { randomUUID } from 'node:crypto'

export interface PictureKind {
  /** `image/png` */
  readonly type: string
  /** The first is the usual one. */
  readonly extensions: readonly [string, ...string[]]
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

const KINDS: readonly (PictureKind & { readonly begins: readonly Buffer[] })[] = [
  { type: 'image/png', extensions: ['png'], begins: [bytesOf('\x89PNG\r\n\x1A\n')] },
  { type: 'image/jpeg', extensions: ['jpg', 'jpeg'], begins: [bytesOf('\xFF\xD8\xFF')] },
  { type: 'image/gif', extensions: ['gif'], begins: [bytesOf('GIF87a'), bytesOf('GIF89a')] },
]

/** What the bytes of a file are, or undefined for anything but PNG, JPEG and GIF. */
export function pictureKindOf(bytes: Buffer): PictureKind | undefined {
  return KINDS.find(({ begins }) => begins.some((begin) => bytes.subarray(0, begin.length).equals(begin)))
}

/** The head of the part that holds a picture. */
export function pictureHead({ type, extensions }: PictureKind): string {
  return [
    `Content-Disposition: form-data; name="media"; filename="image.${extensions[0]}"`,
    `Content-Type: ${type}`,
  ].join('\r\n')
}

/** A form with a picture and nothing else: whole, because WeChat has answered 412 to bodies whose length it was not told. */
export function pictureForm(bytes: Buffer, kind: PictureKind): { readonly contentType: string; readonly body: Buffer } {
  const boundary = `wxo-${randomUUID()}`
  const head = bytesOf(`--${boundary}\r\n${pictureHead(kind)}\r\n\r\n`)
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([head, bytes, bytesOf(`\r\n--${boundary}--\r\n`)]),
  }
}
