/**
 * How many pictures of one app are fetched and uploaded at once. A server of pictures that is slow keeps its places for ten seconds each,
 * so no server has all places of an app, and no app all of the process: pictures from elsewhere are not held up. Whoever waits
 * for a place leaves the queue when its time is over.
 */
import { createGate, type Gate } from '@wechat-outbox/wechat'

export interface PicturePlaces {
  /** Runs `run` when the picture has a place. Undefined where `signal` is aborted before; `run` never rejects. */
  inPlace<T>(url: string, run: () => Promise<T>, signal: AbortSignal): Promise<T | undefined>
}

const APP_PLACES = 5
const SERVER_PLACES = 4

/** Of one app. `shared`: the places of the process. */
export function createPicturePlaces(shared: Gate): PicturePlaces {
  const ofApp = createGate(APP_PLACES)
  const servers = new Map<string, { readonly gate: Gate; users: number }>()
  return {
    async inPlace(url, run, signal) {
      const { host } = new URL(url)
      const server = servers.get(host) ?? { gate: createGate(SERVER_PLACES), users: 0 }
      servers.set(host, server)
      server.users += 1
      try {
        // The narrowest first: who waits for it keeps no other place.
        return await through(server.gate, () => through(ofApp, () => through(shared, run, signal), signal), signal)
      } finally {
        server.users -= 1
        if (server.users === 0) servers.delete(host)
      }
    },
  }
}

function through<T>(gate: Gate, run: () => Promise<T | undefined>, signal: AbortSignal): Promise<T | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>()
  if (signal.aborted) return Promise.resolve(undefined)
  const giveUp = (): void => {
    leaveQueue()
    resolve(undefined)
  }
  signal.addEventListener('abort', giveUp, { once: true })
  const leaveQueue = gate.enter(() => {
    signal.removeEventListener('abort', giveUp)
    run()
      .finally(() => gate.leave())
      .then(resolve, reject)
    return true
  })
  return promise
}
