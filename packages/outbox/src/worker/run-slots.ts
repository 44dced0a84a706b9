/**
 * How many runs a worker has at once. What is limited is calls: WeChat's client has as many connections as calls may be in
 * flight, and a run that waits for Redis to record its end holds none of them. With as many runs as calls, connections would
 * stand idle for as long as settlements take. So there are as many more runs as settlements take longer beside calls:
 * calls × (1 + time to settle / time of a call), twice as many at most.
 *
 * Where WeChat answers after 50 ms and Redis after 1, that is one run more in fifty. Where calls hang for seconds it is none,
 * so that no message is fetched early to wait for a connection.
 */
export interface RunSlots {
  /** A run has ended: what its call and its settlement took, in ms. */
  ended(callMs: number, settleMs: number): void
}

/** The weight of the newest run in the running means. */
const WEIGHT = 0.02
/** Runs between two changes. */
const CHANGE_EVERY = 50

/** `set` is called with the number of runs, whenever that changes. */
export function createRunSlots(callsMax: number, set: (runsMax: number) => void): RunSlots {
  let call = 0
  let settle = 0
  let runs = 0
  let current = callsMax
  return {
    ended(callMs, settleMs) {
      call += (callMs - call) * WEIGHT
      settle += (settleMs - settle) * WEIGHT
      runs += 1
      if (runs % CHANGE_EVERY !== 0) return
      const wanted = Math.round(callsMax * (1 + Math.min(1, settle / Math.max(call, 0.001))))
      if (wanted === current) return
      current = wanted
      set(wanted)
    },
  }
}
