/**
 * Decrypts what WeChat encrypts in its secure and compatible modes: AES-256-CBC of 16 random bytes, the length of the message, the message,
 * and the appid. It is padded to 32 bytes in place of the cipher's 16, which Node's own unpadding refuses.
 *
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
import { createDecipheriv } from 'node:crypto'

const RANDOM_BYTES = 16
const LENGTH_BYTES = 4
const IV_BYTES = 16
const PADDING_BYTES_MAX = 32

export type Decrypted =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  /** `appid`: it is whole, and another app's. */
  | { readonly kind: 'refused'; readonly reason: 'ciphertext' | 'appid' }

const BROKEN: Decrypted = { kind: 'refused', reason: 'ciphertext' }

export interface PushCipher {
  /** The EncodingAESKey of WeChat's console: 43 characters. */
  readonly aesKey: string
  readonly appid: string
}

/** Never throws. `encrypted` is base64. */
export function decryptPush(encrypted: string, { aesKey, appid }: PushCipher): Decrypted {
  const plain = unpad(decipher(encrypted, Buffer.from(`${aesKey}=`, 'base64')))
  if (plain === null || plain.length < RANDOM_BYTES + LENGTH_BYTES) return BROKEN
  const start = RANDOM_BYTES + LENGTH_BYTES
  const end = start + plain.readUInt32BE(RANDOM_BYTES)
  if (end > plain.length) return BROKEN
  if (plain.toString('utf8', end) !== appid) return { kind: 'refused', reason: 'appid' }
  return { kind: 'message', bytes: plain.subarray(start, end) }
}

function decipher(encrypted: string, key: Buffer): Buffer | null {
  const aes = createDecipheriv('aes-256-cbc', key, key.subarray(0, IV_BYTES)).setAutoPadding(false)
  try {
    return Buffer.concat([aes.update(encrypted, 'base64'), aes.final()])
  } catch {
    // It is not a number of whole blocks.
    return null
  }
}

function unpad(padded: Buffer | null): Buffer | null {
  const bytes = padded?.at(-1)
  if (padded === null || bytes === undefined || bytes < 1 || bytes > PADDING_BYTES_MAX || bytes > padded.length)
    return null
  const end = padded.length - bytes
  return padded.subarray(end).every((byte) => byte === bytes) ? padded.subarray(0, end) : null
}
