/**
 * How WeChat pushes to an app what its users do: the token and the key that stand in WeChat's console, and the URL of the service that
 * was there before. All of it is said by its path and never by its value.
 *
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
import { z } from 'zod'

const TOKEN_FORM = 'must be 3 to 32 letters and digits, as in WeChat’s console'
const AES_KEY_FORM = 'must be the EncodingAESKey of WeChat’s console: 43 letters and digits'
const URL_FORM = 'must be an http or https URL without user, password and fragment'

/** The settings one by one, for who reads them from variables. */
export const pushFields = {
  token: z.string(TOKEN_FORM).regex(/^[A-Za-z0-9]{3,32}$/u, TOKEN_FORM),
  aesKey: z.string(AES_KEY_FORM).regex(/^[A-Za-z0-9+/]{43}$/u, AES_KEY_FORM),
  forwardUrl: z.string(URL_FORM).refine(isForwardUrl, URL_FORM),
}

const optional = { aesKey: pushFields.aesKey.optional(), forwardUrl: pushFields.forwardUrl.optional() }

export const pushSchema = z.strictObject(
  { ...pushFields, ...optional },
  {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? 'has a field other than token, aesKey, forwardUrl' : undefined,
  },
)

/** With an `aesKey` pushes are encrypted, in WeChat's secure or compatible mode; without one they are plain. */
export type PushConfig = z.output<typeof pushSchema>

function isForwardUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, hash } = new URL(text)
  return ['http:', 'https:'].includes(protocol) && username + password + hash === ''
}
