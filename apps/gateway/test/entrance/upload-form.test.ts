import { describe, expect, it } from 'vitest'
import { tidyUploadForm } from '../../src/entrance/upload-form.ts'

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.from('\r\n--B--\r\n\r\npixels')])
const JPEG = Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(20, 1)])
const GIF = Buffer.from('GIF89a and colours')
const TYPE = 'multipart/form-data; boundary=BOUND'

const part = (head: readonly string[], bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`--BOUND\r\n${head.join('\r\n')}\r\n\r\n`), bytes, Buffer.from('\r\n')])
const end = Buffer.from('--BOUND--\r\n')
const named = (disposition: string, bytes: Buffer, type = 'image/png') =>
  Buffer.concat([part([`Content-Disposition: form-data; ${disposition}`, `Content-Type: ${type}`], bytes), end])

/** What WeChat would find in it. */
async function fileIn(form: Buffer | null): Promise<{ name: string; type: string; bytes: Buffer } | null> {
  if (form === null) return null
  const read = await new Response(new Uint8Array(form), { headers: { 'content-type': TYPE } }).formData()
  const file = read.get('media')
  if (!(file instanceof File)) return null
  return { name: file.name, type: file.type, bytes: Buffer.from(await file.arrayBuffer()) }
}

describe('a picture in a form', () => {
  it.each([
    ['without a name', 'name="media"', PNG, 'image/png', 'image.png'],
    ['with a name without an extension', 'name="media"; filename="blob"', JPEG, 'image/jpeg', 'image.jpg'],
    ['with the extension of another kind', 'name="media"; filename="a.png"', GIF, 'image/gif', 'image.gif'],
    ['with an extension that is none', 'name="media"; filename="a.webp"', JPEG, 'image/jpeg', 'image.jpg'],
    ['with a Chinese name', 'name="media"; filename="图片.png"', PNG, 'image/png', 'image.png'],
    ['with an encoded name', `name="media"; filename*=UTF-8''%E5%9B%BE.png`, PNG, 'image/png', 'image.png'],
    ['with an empty name', 'name="media"; filename=""', PNG, 'image/png', 'image.png'],
    ['with a path', 'name="media"; filename="C:\\\\a\\\\b.png"', PNG, 'image/png', 'image.png'],
    ['under another field', 'name="file"; filename="a.png"', PNG, 'image/png', 'image.png'],
    ['under a bare field', 'name=media; filename=a.png', PNG, 'image/png', 'image.png'],
  ])('%s gets one from its bytes', async (_, disposition, bytes, type, name) => {
    const tidy = tidyUploadForm(named(disposition, bytes, 'application/octet-stream'), TYPE)
    expect(await fileIn(tidy)).toEqual({ name, type, bytes })
  })

  it('whose type is wrong or missing gets that as well', async () => {
    const wrong = named('name="media"; filename="a.png"', PNG, 'text/plain')
    expect(await fileIn(tidyUploadForm(wrong, TYPE))).toEqual({ name: 'image.png', type: 'image/png', bytes: PNG })
    const head = ['content-disposition: form-data; name="media"; filename="a.png"']
    const missing = Buffer.concat([part(head, PNG), end])
    expect(await fileIn(tidyUploadForm(missing, TYPE))).toMatchObject({ type: 'image/png', bytes: PNG })
  })

  it.each([
    ['png', PNG],
    ['PNG', PNG],
    ['jpg', JPEG],
    ['jpeg', JPEG],
    ['gif', GIF],
  ])('named rightly stays as it came: %s', (extension, bytes) => {
    const type = bytes === PNG ? 'image/png' : bytes === JPEG ? 'image/jpeg' : 'image/gif'
    expect(tidyUploadForm(named(`name="media"; filename="my cat (1).${extension}"`, bytes, type), TYPE)).toBeNull()
  })

  it('keeps the parts beside it byte for byte', () => {
    const before = part(['Content-Disposition: form-data; name="description"'], Buffer.from('{"title":"\r\nx"}'))
    const form = Buffer.concat([before, part(['Content-Disposition: form-data; name="media"'], PNG), end])
    const tidy = tidyUploadForm(form, 'multipart/form-data; boundary="BOUND"') ?? Buffer.alloc(0)
    expect(tidy.subarray(0, before.length)).toEqual(before)
    expect(tidy.subarray(-(PNG.length + 2 + end.length))).toEqual(Buffer.concat([PNG, Buffer.from('\r\n'), end]))
  })
})

describe('what is not understood', () => {
  it.each([
    ['bytes of another kind', named('name="media"', Buffer.from('RIFFxxxxWEBP')), TYPE],
    ['no picture at all', named('name="media"; filename="a.png"', Buffer.alloc(0)), TYPE],
    ['a form without an end', named('name="media"', PNG).subarray(0, -20), TYPE],
    ['a part without a head', Buffer.from('--BOUND\r\nnothing\r\n--BOUND--'), TYPE],
    ['another boundary', named('name="media"', PNG), 'multipart/form-data; boundary=OTHER'],
    ['no boundary', named('name="media"', PNG), 'multipart/form-data;'],
    ['nothing', Buffer.alloc(0), TYPE],
  ])('stays as it came: %s', (_, form, type) => {
    expect(tidyUploadForm(form, type)).toBeNull()
  })
})
