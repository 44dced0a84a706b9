/** `wxo send`: one message, from options or from a body as a service would build it. */
import { ON_CLOSED, type SendRequest } from '@wechat-outbox/messages'
import { type Command, Option } from 'commander'
import { checkAppid, chooseApp, neverServed } from '../apps.ts'
import { UsageError } from '../failure.ts'
import { readMessageFile } from '../message-file.ts'
import { printable } from '../output.ts'
import type { Act } from '../program.ts'
import type { Session } from '../session.ts'
import { requestTime } from '../times.ts'
import { isPictureFile, uploadImage } from '../upload-image.ts'

interface SendOptions {
  readonly app?: string
  readonly to?: string
  readonly text?: string
  readonly image?: string
  readonly link?: string
  readonly page?: string
  readonly body?: string
  readonly key?: string
  readonly sendAt?: string
  readonly expiresAt?: string
  readonly ifUnsure?: string
  readonly onClosed?: string
}

export function addSend(program: Command, act: Act): void {
  program
    .command('send')
    .description('store a message; the workers send it')
    .option('--app <appid>', 'the Mini Program: wx… (default: WECHAT_APP_ID, or the only app there is)')
    .option('--to <openid>', 'the recipient')
    .option('--text <text>', 'a text')
    .option('--image <media-id|file>', 'an image: its media id, or a file that the gateway of WXO_GATEWAY_URL uploads')
    .option('--link <json>', 'a link: {"title","description","url","thumb_url"}')
    .option('--page <json>', 'a Mini Program card: {"title","pagepath","thumb_media_id"}')
    .option('--body <file>', 'the whole request as JSON, from a file or - for stdin; other options win over it')
    .option('--key <key>', 'idempotency key: the same key and message again is the same message')
    .option('--send-at <time>', 'not before: ISO 8601 with offset, epoch ms, or a duration from now (2h)')
    .option('--expires-at <time>', 'not after')
    .addOption(
      new Option('--if-unsure <what>', 'what to do when it cannot be known whether a call arrived').choices([
        'resend',
        'dead-letter',
      ]),
    )
    .addOption(
      new Option(
        '--on-closed <what>',
        'what to do while the reply window of the recipient is closed or used up',
      ).choices(ON_CLOSED),
    )
    .action((options: SendOptions) => act((session, { input }) => send(session, input, options)))
}

async function send(session: Session, stdin: NodeJS.ReadableStream, options: SendOptions): Promise<void> {
  const content = readContent(options)
  if (options.app !== undefined) checkAppid(options.app)
  session.env()
  const { appid: named, ...body } = options.body === undefined ? content : await readMessageFile(options.body, stdin)
  const inBody = named ?? undefined
  // An appid in the body that is no text is left to the request's own check, which names its path.
  const appid = options.app ?? (inBody === undefined ? await chooseApp(session, undefined) : inBody)
  const request = { ...body, ...(await imageOf(options, appid, session)), ...envelope(options), appid }
  const outbox = await session.outbox()
  const [receipt, warning] = await Promise.all([
    outbox.send(request as unknown as SendRequest),
    neverServed(session, appid),
  ])
  const { output } = session
  if (warning !== undefined) output.note(warning)
  if (output.json) return output.document({ ...receipt, appid })
  const again = receipt.duplicate ? ' (stored earlier, by this key)' : ''
  output.line(
    `${printable(receipt.id)}  ${output.style(receipt.duplicate ? 'yellow' : 'green', receipt.status)}${again}`,
  )
}

/** @throws UsageError unless exactly one content is given, and a recipient with it */
function readContent(options: SendOptions): Record<string, unknown> {
  const { text, image, link, page, body, to } = options
  const given = [text, image, link, page, body].filter((value) => value !== undefined)
  if (given.length !== 1) throw new UsageError('give exactly one of --text, --image, --link, --page and --body')
  if (body === undefined && to === undefined) throw new UsageError('--to is missing')
  if (text !== undefined) return { msgtype: 'text', text: { content: text } }
  if (image !== undefined) return { msgtype: 'image', image: { media_id: image } }
  if (link !== undefined) return { msgtype: 'link', link: parseJsonOption('--link', link) }
  if (page !== undefined) return { msgtype: 'miniprogrampage', miniprogrampage: parseJsonOption('--page', page) }
  return {}
}

/** A picture from a file, in place of the media id that it is not. */
async function imageOf({ image }: SendOptions, appid: unknown, session: Session): Promise<Record<string, unknown>> {
  if (image === undefined || !isPictureFile(image)) return {}
  return { image: { media_id: await uploadImage(image, String(appid), session.env()) } }
}

function parseJsonOption(option: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${option} must be JSON, quoted for the shell: ${option} '{"title":"…",…}'`)
  }
}

/** Only what was given: it wins over the body. */
function envelope(options: SendOptions): Record<string, unknown> {
  const { to, key, sendAt, expiresAt, ifUnsure, onClosed } = options
  const nowMs = Date.now()
  return {
    ...(to === undefined ? {} : { touser: to }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(sendAt === undefined ? {} : { sendAt: requestTime(sendAt, nowMs) }),
    ...(expiresAt === undefined ? {} : { expiresAt: requestTime(expiresAt, nowMs) }),
    ...(ifUnsure === undefined ? {} : { ifUnsure }),
    ...(onClosed === undefined ? {} : { onClosed }),
  }
}
