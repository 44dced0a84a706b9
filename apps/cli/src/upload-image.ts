/** `--image FILE`: the command line has no token of the app's, so the gateway uploads the picture and answers with its media id. */
import { messageOf } from '@wechat-outbox/outbox/engine'
import { pictureKindOf } from '@wechat-outbox/wechat'
import { z } from 'zod'
import { readBounded } from './bounded-file.ts'
import type { CliEnv } from './env.ts'
import { CommandFailure } from './failure.ts'

/** The most that a gateway's `MEDIA_BYTES_MAX` can be. */
const LIMIT = { bytesMax: 10_485_760, tooLarge: 'is larger than 10 MiB, and WeChat takes no such picture' }
/** Longer than the gateway takes. */
const UPLOAD_MS_MAX = 30_000

/** A media id has neither a separator of folders nor the extension of a picture. */
export function isPictureFile(image: string): boolean {
  return /[/\\]|\.(?:png|jpe?g|gif)$/i.test(image)
}

const uploaded = z.object({ media_id: z.string() })
const problem = z.object({ code: z.string(), detail: z.string() })

/** The media id. @throws CommandFailure */
export async function uploadImage(file: string, appid: string, env: CliEnv): Promise<string> {
  const { WXO_GATEWAY_URL: gateway, WXO_API_KEY: key } = env
  if (gateway === undefined) {
    throw new CommandFailure(
      'a picture from a file goes through the gateway: set WXO_GATEWAY_URL, and WXO_API_KEY where it asks for a key; or give the media id of an upload',
    )
  }
  const bytes = await readBounded(file, LIMIT)
  const kind = pictureKindOf(bytes)
  if (kind === undefined) throw new CommandFailure(`${file} is no PNG, JPEG or GIF`)
  const { status, body } = await post(new URL(`${gateway.replace(/\/+$/, '')}/v1/apps/${appid}/media`), {
    method: 'POST',
    headers: { 'content-type': kind.type, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    body: new Uint8Array(bytes),
    redirect: 'manual',
    signal: AbortSignal.timeout(UPLOAD_MS_MAX),
  })
  const answer = uploaded.safeParse(body)
  if (status === 200 && answer.success) return answer.data.media_id
  const said = problem.safeParse(body)
  throw new CommandFailure(
    said.success
      ? `the gateway did not upload ${file}: ${said.data.code}: ${said.data.detail}`
      : `the gateway did not upload ${file}: it answered ${status}, and not as a gateway does; look at WXO_GATEWAY_URL`,
  )
}

async function post(url: URL, init: RequestInit): Promise<{ readonly status: number; readonly body: unknown }> {
  try {
    const answer = await fetch(url, init)
    const text = await answer.text()
    return { status: answer.status, body: parsed(text) }
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const why = isLate ? `no answer within ${UPLOAD_MS_MAX / 1000} s` : messageOf((error as Error).cause ?? error)
    throw new CommandFailure(`the gateway at ${url.host} cannot be asked: ${why}`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
