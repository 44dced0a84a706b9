/** The call that uploads a picture, as data. */
import { z } from 'zod'
import { APP, failing, json, type Operation, ofApp } from './operation.ts'
import { time } from './schemas.ts'

/** As the router writes the path. */
export const MEDIA_ROUTE = '/v1/apps/:appid/media'

const uploadedMedia = z
  .object({
    media_id: z.string().meta({ description: '`image.media_id` or `miniprogrampage.thumb_media_id` of messages' }),
    expiresAt: time.meta({ description: 'WeChat forgets the picture some two hours later' }),
  })
  .meta({ id: 'UploadedMedia' })

const picture = { schema: { type: 'string', format: 'binary' } } as const

export type MediaOperationId = 'uploadMedia'

export const mediaOperations: Readonly<Record<MediaOperationId, Operation>> = {
  uploadMedia: {
    method: 'POST',
    path: `${APP}/media`,
    right: 'send',
    takes: 'image',
    stores: true,
    document: {
      summary: 'Upload a picture',
      description:
        'The body is the picture: PNG, JPEG or GIF, of `MEDIA_BYTES_MAX` bytes at most. The same bytes are uploaded once in 70 hours, whoever sends them. A message with the URL of a picture needs no such call.',
      requestParams: { path: ofApp },
      requestBody: {
        required: true,
        content: {
          'image/png': picture,
          'image/jpeg': picture,
          'image/gif': picture,
          'application/octet-stream': picture,
        },
      },
      responses: {
        200: { description: 'WeChat has the picture', content: json(uploadedMedia) },
        ...failing('unknown-app', 'too-large', 'content-type', 'media-refused', 'wechat-away', 'timeout'),
      },
    },
  },
}
