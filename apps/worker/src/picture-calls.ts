/**
 * What the pictures of all apps of a process share: the connections to their servers and to WeChat, apart from those of sends,
 * which a slow upload would hold up, and how many pictures are in memory at once.
 */
import { proxyOf, readHostnames } from '@wechat-outbox/runtime'
import { createGate, createPublicClient, createWechatClient } from '@wechat-outbox/wechat'
import type { WorkerConfig } from './env.ts'
import type { PicturesOptions } from './pictures.ts'

export interface PictureCalls
  extends Pick<PicturesOptions, 'client' | 'uploadMsMax' | 'publicClient' | 'places' | 'bytesMax'> {
  /** Ends what is under way. */
  close(): Promise<void>
}

/** Pictures in memory, each twice while it is uploaded: 64 MiB with the default limit. */
const PLACES = 16
/** Two megabytes take longer than a message. */
const UPLOAD_MS_MIN = 15_000

export function createPictureCalls(config: WorkerConfig): PictureCalls {
  const uploadMsMax = Math.max(config.SEND_TIMEOUT_MS, UPLOAD_MS_MIN)
  const proxy = proxyOf(config)
  const client = createWechatClient({
    baseUrl: config.WECHAT_API_BASE_URL,
    allowHttp: config.WECHAT_ALLOW_HTTP,
    connections: PLACES,
    timeoutMs: uploadMsMax,
    proxy,
  })
  const allowedHosts = readHostnames(config.MEDIA_ALLOWED_HOSTS) ?? []
  const publicClient = createPublicClient({ allowedHosts, connections: PLACES, proxy })
  return {
    client,
    uploadMsMax,
    publicClient,
    places: createGate(PLACES),
    bytesMax: config.MEDIA_BYTES_MAX,
    async close() {
      await Promise.all([client.close(), publicClient.close()])
    },
  }
}
