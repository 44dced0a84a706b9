// The media ids that the fake has given out. WeChat's live three days, and there is no way to ask about one: a send that names
// one that has expired, that WeChat has forgotten, or that is another app's is answered with 40007. An id that the fake never
// gave out passes, so that a test of something else may name any.

const LIFETIME_MS = 3 * 24 * 3_600_000
const IDS_MAX = 100_000

export type MediaIds = {
  add: (mediaId: string, appid: string | null) => void
  /** 0 if a message of the app may name it, else 40007. */
  check: (mediaId: string, appid: string | null) => 0 | 40007
  /** One, or all that were given out so far, serve no longer. */
  forget: (mediaId?: string) => void
  reset: () => void
}

type Given = { appid: string | null; at: number; forgotten: boolean }

export const openMediaIds = (now: () => number): MediaIds => {
  const given = new Map<string, Given>()
  return {
    add: (mediaId, appid) => {
      given.set(mediaId, { appid, at: now(), forgotten: false })
      for (const oldest of given.keys()) {
        if (given.size <= IDS_MAX) break
        given.delete(oldest)
      }
    },
    check: (mediaId, appid) => {
      const media = given.get(mediaId)
      if (media === undefined) return 0
      return media.appid !== appid || media.forgotten || now() >= media.at + LIFETIME_MS ? 40007 : 0
    },
    forget: (mediaId) => {
      for (const [id, media] of given) if (mediaId === undefined || id === mediaId) media.forgotten = true
    },
    reset: () => given.clear(),
  }
}
