/** One good request of every type, and what is wrong with others. */
import { type Checked, type CheckedRequest, checkSendRequest, sendRequestSchema } from '../../src/index.ts'

const schema = sendRequestSchema()
export const look = (input: unknown): Checked<CheckedRequest> => checkSendRequest(input, schema)
export const problems = (input: unknown) => {
  const checked = look(input)
  return checked.ok ? [] : checked.problems
}
export const paths = (input: unknown): string[] => problems(input).map(({ path }) => path)

export const text = { touser: 'oAnna_-1', msgtype: 'text', text: { content: '您好 👋' } }
export const image = { touser: 'oAnna', msgtype: 'image', image: { media_id: 'MEDIA' } }
export const link = {
  touser: 'oAnna',
  msgtype: 'link',
  link: { title: 'A title', description: '', url: 'https://shop.test/a?b=c', thumb_url: 'http://shop.test/a.png' },
}
const page = {
  touser: 'oAnna',
  msgtype: 'miniprogrampage',
  miniprogrampage: { title: 'A title', pagepath: 'pages/index?foo=bar', thumb_media_id: 'MEDIA' },
}
export const good = { text, image, link, miniprogrampage: page }
export const with_ = (extra: Record<string, unknown>) => ({ ...text, ...extra })
