/**
 * The tokens that the gateway hands out where WeChat's clients expect WeChat's. They are good at every gateway, end by
 * themselves and can be revoked, and Redis never holds one: it holds their digests.
 *
 * `random` tokens are that, and nobody can repeat one. A `stable` token has to be repeated to whoever asks again, at any
 * gateway, so it is derived: an HMAC under the caller's own secret, which only the caller brings, over a random nonce, which
 * stands in Redis. Reading Redis gives no token, knowing the secret gives none without the nonce, and a new nonce is a new
 * token. A token names its app, because all keys of an app lie in one slot of a Redis Cluster; an appid is no secret.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface IssuedAccess {
  readonly token: string
  readonly leftMs: number
}

export interface AccessTokens {
  /** A new token for a holder, an API key of the gateway's. Those it has already stay good, the latest hundred of them. */
  issue(holder: string): Promise<IssuedAccess>
  /** The same token as before while it has more than five minutes left. `force` ends that and gives a new one. */
  stable(holder: string, options: { readonly secret: string; readonly force: boolean }): Promise<IssuedAccess>
  /** Ends all tokens of a holder at once. Returns how many there were. */
  revoke(holder: string): Promise<number>
}

/** As long as WeChat's own. */
const LIFETIME_MS = 7_200_000
/** WeChat, too, gives a new stable token in the last five minutes of the old one, which stays good until its end. */
const RENEW_AHEAD_MS = 300_000
/** A client that asks for a token before every call ends its own oldest ones and fills nothing. */
const TOKENS_MAX = 100

const TOKEN = /^wxot_([0-9a-f]{16})_[\w-]{43}$/

export function createAccessTokens(store: Store, appid: string): AccessTokens {
  const keys = appKeys(appid)
  const tokenOf = (secretPart: Buffer): string => `wxot_${appid.slice(2)}_${secretPart.toString('base64url')}`

  async function give(
    kind: 'random' | 'stable' | 'forced',
    made: { token: string; holder: string; nonce?: string; record?: string },
  ) {
    const digest = digestOf(made.token)
    const answer = await runScript<[string, number]>(store.redis, {
      name: 'access-token-issue',
      keys: [keys.access(digest), keys.accessOf(made.holder), keys.accessStable(made.record ?? 'none')],
      args: [kind, digest, made.nonce ?? '', made.holder, LIFETIME_MS, RENEW_AHEAD_MS, TOKENS_MAX, keys.access('')],
    })
    return { nonce: answer[0], leftMs: Number(answer[1]) }
  }

  return {
    async issue(holder) {
      const token = tokenOf(randomBytes(32))
      const { leftMs } = await give('random', { token, holder })
      return { token, leftMs }
    },
    async stable(holder, { secret, force }) {
      const derive = (purpose: string): Buffer =>
        createHmac('sha256', secret)
          .update(JSON.stringify(['wxo-access', appid, holder, purpose]))
          .digest()
      const nonce = randomBytes(32).toString('base64url')
      // Named after the secret, too: a key whose secret was changed begins anew.
      const record = derive('record').toString('base64url').slice(0, 22)
      const good = await give(force ? 'forced' : 'stable', { token: tokenOf(derive(nonce)), holder, nonce, record })
      return { token: tokenOf(derive(good.nonce)), leftMs: good.leftMs }
    },
    revoke: (holder) =>
      runScript<number>(store.redis, {
        name: 'access-token-revoke',
        keys: [keys.accessOf(holder)],
        args: [keys.access('')],
      }),
  }
}

/** Whose token this is; null for one that was never given out, has ended or was revoked. One GET. */
export async function readAccessToken(
  store: Store,
  token: string,
): Promise<{ readonly appid: string; readonly holder: string } | null> {
  const [, digits] = TOKEN.exec(token) ?? []
  if (digits === undefined) return null
  const appid = `wx${digits}`
  const holder = await store.redis.get(appKeys(appid).access(digestOf(token)))
  return holder === null ? null : { appid, holder }
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
