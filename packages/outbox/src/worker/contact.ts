/**
 * Whether this worker has been in touch with Redis for long enough to say of other workers that they are dead. After an outage that is
 * longer than a lease nobody's lock stands, and whoever connects first would take over what the others have heard from WeChat and
 * could not record. So it waits until each of them has had the time to connect anew. That its own connection stands says nothing: a
 * server that has gone dark leaves it open, and what is asked meanwhile is answered late. Nor does a connection that breaks and is
 * back at once count, or one that breaks every few seconds would keep its worker from taking over for ever.
 */
export interface Contact {
  /** Redis has answered what it was asked at `askedAt`, by `performance.now()`. */
  answered(askedAt: number): void
  isFirm(): boolean
}

/**
 * @param ms What it takes to be firm; Redis has to be asked as often. Half a lease is the most: no lock of a live worker ends in an
 * outage that is shorter, because it was renewed before it had lasted so long.
 */
export function createContact(ms: number): Contact {
  // An outage begins some time before Redis is asked.
  const lateMs = ms / 2
  let since = Number.POSITIVE_INFINITY
  let heardAt = Number.NEGATIVE_INFINITY
  /** There was no connection or no answer, or the process stood still. */
  const isSilent = (now: number): boolean => now - heardAt > ms + lateMs
  return {
    answered(askedAt) {
      const now = performance.now()
      since = now - askedAt > lateMs || isSilent(now) ? now : Math.min(since, now)
      heardAt = now
    },
    isFirm() {
      const now = performance.now()
      return now - since >= ms && !isSilent(now)
    },
  }
}
