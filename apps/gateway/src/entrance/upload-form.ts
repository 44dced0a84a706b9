/**
 * The form of an upload, as WeChat wants it. WeChat tells the kind of a file by the name that it has in the form, and clients
 * that have only bytes give no name, or any: so the bytes say what a picture is, and the form says that after them. Everything
 * else of it stays as it came.
 */
import { type PictureKind, pictureHead, pictureKindOf } from '@wechat-outbox/wechat'

/** Null where what there is cannot be told, or is right already. */
export function tidyUploadForm(form: Buffer, contentType: string): Buffer | null {
  const boundary = boundaryOf(contentType)
  if (boundary === undefined) return null
  const parts = partsOf(form, boundary)
  const part = parts.find(({ head }) => nameOf(head) === 'media') ?? (parts.length === 1 ? parts[0] : undefined)
  if (part === undefined) return null
  const kind = pictureKindOf(form.subarray(part.from, part.to))
  if (kind === undefined || isRight(part.head, kind)) return null
  return Buffer.concat([form.subarray(0, part.headFrom), Buffer.from(pictureHead(kind)), form.subarray(part.from - 4)])
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

interface Part {
  readonly head: string
  readonly headFrom: number
  /** Of what is in it. */
  readonly from: number
  readonly to: number
}

/** A form for WeChat has one part, seldom two. */
const PARTS_MAX = 20

/** Those that are whole. https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1 */
function partsOf(form: Buffer, boundary: string): Part[] {
  const delimiter = Buffer.from(`--${boundary}`)
  const parts: Part[] = []
  let at = form.indexOf(delimiter)
  while (at >= 0 && parts.length < PARTS_MAX) {
    const lineEnd = form.indexOf('\r\n', at)
    // The last one has two dashes behind it.
    const isLast = form.subarray(at + delimiter.length, at + delimiter.length + 2).toString('latin1') === '--'
    if (isLast || lineEnd < 0) break
    const headFrom = lineEnd + 2
    const headEnd = form.indexOf('\r\n\r\n', headFrom)
    const to = form.indexOf(Buffer.concat([bytesOf('\r\n'), delimiter]), headEnd < 0 ? form.length : headEnd + 2)
    if (headEnd < 0 || to < 0) break
    parts.push({ head: form.subarray(headFrom, headEnd).toString('utf8'), headFrom, from: headEnd + 4, to })
    at = to + 2
  }
  return parts
}

function boundaryOf(contentType: string): string | undefined {
  const [, quoted, bare] = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType) ?? []
  return quoted ?? bare
}

const DISPOSITION = /^content-disposition:.*$/im

function nameOf(head: string): string | undefined {
  const [, quoted, bare] = /;\s*name=(?:"([^"]*)"|([^\s;"]+))/i.exec(DISPOSITION.exec(head)?.[0] ?? '') ?? []
  return quoted ?? bare
}

/** A plain name with an extension of this kind, and a type that does not contradict it. */
function isRight(head: string, { type, extensions }: PictureKind): boolean {
  const disposition = DISPOSITION.exec(head)?.[0] ?? ''
  const [, extension = ''] = /;\s*filename="[\w .()-]{1,100}\.([a-z]+)"\s*$/i.exec(disposition) ?? []
  const given = /^content-type:\s*(\S+)/im.exec(head)?.[1]?.toLowerCase()
  return nameOf(head) === 'media' && extensions.includes(extension.toLowerCase()) && given === type
}
